//! Where a node, a pod or a service is. The rules and words are those of kube-apiserver's `ResourceLocation`.

use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;
use serde_json::Value;

use super::super::call::Call;
use crate::proxy::{self, Kubelets};
use crate::registry::Store;
use crate::status::ApiError;

/// A server on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether it is a kubelet.
    pub(super) kubelet: bool,
}

impl Location {
    /// A URL on this server.
    pub(super) fn url(&self, path_and_query: &str) -> Result<Uri, ApiError> {
        proxy::server_url(self.scheme.clone(), &self.host, self.port, path_and_query).map_err(ApiError::internal)
    }
}

/// The name in the URL of a proxied request: `[scheme:]name[:port]`.
struct Name<'a> {
    scheme: Scheme,
    name: &'a str,
    port: &'a str,
}

fn split<'a>(text: &'a str, what: &str) -> Result<Name<'a>, ApiError> {
    let invalid = || ApiError::bad_request(format!("invalid {what} request {text:?}"));
    let (scheme, name, port) = match *text.split(':').collect::<Vec<_>>() {
        [name] => ("", name, ""),
        [name, port] => ("", name, port),
        [scheme, name, port] => (scheme, name, port),
        _ => return Err(invalid()),
    };
    let scheme = match scheme {
        "" | "http" => Scheme::HTTP,
        "https" => Scheme::HTTPS,
        _ => return Err(invalid()),
    };
    match name {
        "" => Err(invalid()),
        name => Ok(Name { scheme, name, port }),
    }
}

/// The kubelet of a node.
pub(super) async fn kubelet(call: &Call<'_>, kubelets: &Kubelets, node: &str) -> Result<Location, ApiError> {
    let nodes = store(call, "", "nodes")?;
    let node = nodes.get("", node, None).await?.document();
    let addresses: Vec<&Value> = node["status"]["addresses"].as_array().into_iter().flatten().collect();
    let preferred = kubelets.address_types.iter().find_map(|wanted| {
        let mut addresses = addresses.iter();
        let address = addresses.find(|address| address["type"] == **wanted)?;
        address["address"].as_str()
    });
    let host = preferred.ok_or_else(|| {
        let known = Value::from_iter(addresses.iter().map(|&address| address.clone()));
        ApiError::unclassified(format!("no preferred addresses found; known addresses: {known}"))
    })?;
    let port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].as_u64();
    let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    Ok(Location {
        scheme: Scheme::HTTPS,
        host: host.to_owned(),
        port: port.unwrap_or(kubelets.default_port),
        kubelet: true,
    })
}

/// What `nodes/<name>/proxy` leads to: the kubelet, or another port of the node.
pub(super) async fn node(call: &Call<'_>, kubelets: &Kubelets) -> Result<Location, ApiError> {
    let name = split(&call.info.name, "node")?;
    let kubelet = kubelet(call, kubelets, name.name).await?;
    if name.port.is_empty() || name.port == kubelet.port.to_string() {
        return Ok(kubelet);
    }
    Ok(Location {
        port: port(name.port)?,
        scheme: name.scheme,
        host: kubelet.host,
        kubelet: false,
    })
}

/// What `pods/<name>/proxy` leads to.
pub(super) async fn pod(call: &Call<'_>) -> Result<Location, ApiError> {
    let name = split(&call.info.name, "pod")?;
    let pod = store(call, "", "pods")?
        .get(call.namespace(), name.name, None)
        .await?
        .document();
    let first_port = || {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        let mut ports = containers.filter_map(|container| container["ports"][0]["containerPort"].as_u64());
        ports.next().and_then(|port| u16::try_from(port).ok())
    };
    let default = match name.scheme == Scheme::HTTPS {
        true => 443,
        false => 80,
    };
    let port = match name.port {
        "" => first_port().unwrap_or(default),
        text => port(text)?,
    };
    let addresses = pod["status"]["podIPs"][0]["ip"].as_str();
    let address = addresses.or(pod["status"]["podIP"].as_str()).unwrap_or_default();
    Ok(Location {
        scheme: name.scheme,
        host: proxyable(address)?,
        port,
        kubelet: false,
    })
}

/// What `services/<name>/proxy` leads to: one of the service's endpoints.
pub(super) async fn service(call: &Call<'_>) -> Result<Location, ApiError> {
    let name = split(&call.info.name, "service")?;
    let port_name = match name.port.parse::<u64>() {
        Err(_) => name.port.to_owned(),
        Ok(number) => {
            let service = store(call, "", "services")?;
            let service = service.get(call.namespace(), name.name, None).await?.document();
            let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
            let port = ports.find(|port| port["port"] == number).ok_or_else(|| {
                let message = format!("no service port {number} found for service {:?}", name.name);
                ApiError::service_unavailable(message)
            })?;
            port["name"].as_str().unwrap_or_default().to_owned()
        }
    };
    let endpoint = match endpoint_of_slices(call, name.name, &port_name).await? {
        Some(endpoint) => Some(endpoint),
        None => endpoint_of_endpoints(call, name.name, &port_name).await?,
    };
    let (address, port) = endpoint
        .ok_or_else(|| ApiError::service_unavailable(format!("no endpoints available for service {:?}", name.name)))?;
    Ok(Location {
        scheme: name.scheme,
        host: proxyable(&address)?,
        port,
        kubelet: false,
    })
}

/// A ready endpoint with a port of this name in the service's EndpointSlices.
async fn endpoint_of_slices(call: &Call<'_>, service: &str, port: &str) -> Result<Option<(String, u16)>, ApiError> {
    let slices = store(call, "discovery.k8s.io", "endpointslices")?;
    let slices = slices.list(call.namespace(), &Default::default()).await?;
    let endpoint = slices.items.iter().find_map(|slice| {
        let slice = slice.document();
        let of = &slice["metadata"]["labels"]["kubernetes.io/service-name"];
        let mut endpoints = slice["endpoints"].as_array().into_iter().flatten();
        let ready = endpoints.find(|endpoint| endpoint["conditions"]["ready"] != false)?;
        let address = ready["addresses"][0].as_str()?;
        (of == service).then(|| Some((address.to_owned(), port_of(&slice["ports"], port)?)))?
    });
    Ok(endpoint)
}

/// The same in its Endpoints object: nothing here turns these into EndpointSlices.
async fn endpoint_of_endpoints(call: &Call<'_>, service: &str, port: &str) -> Result<Option<(String, u16)>, ApiError> {
    let endpoints = match store(call, "", "endpoints")?.get(call.namespace(), service, None).await {
        Err(error) if error.reason() == "NotFound" => return Ok(None),
        endpoints => endpoints?.document(),
    };
    let mut subsets = endpoints["subsets"].as_array().into_iter().flatten();
    let endpoint = subsets.find_map(|subset| {
        let address = subset["addresses"][0]["ip"].as_str()?;
        Some((address.to_owned(), port_of(&subset["ports"], port)?))
    });
    Ok(endpoint)
}

fn port_of(ports: &Value, name: &str) -> Option<u16> {
    let mut ports = ports.as_array().into_iter().flatten();
    let port = ports.find(|port| port["name"].as_str().unwrap_or_default() == name)?;
    port["port"].as_u64().and_then(|port| u16::try_from(port).ok())
}

fn port(text: &str) -> Result<u16, ApiError> {
    text.parse().map_err(|_| match text.parse::<u64>() {
        Ok(_) => ApiError::service_unavailable(format!(
            "error trying to reach service: dial tcp: address {text}: invalid port"
        )),
        Err(_) => ApiError::bad_request(format!("invalid port {text:?}")),
    })
}

/// An address that may be dialled for a user. Other than kube-apiserver this server takes loopback addresses, where its
/// pods are when everything runs on one machine.
fn proxyable(address: &str) -> Result<String, ApiError> {
    let refused = || ApiError::bad_request("address not allowed");
    let ip: IpAddr = address.parse().map_err(|_| refused())?;
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    match ip.is_unspecified() || ip.is_multicast() || link_local {
        true => Err(refused()),
        false => Ok(address.to_owned()),
    }
}

fn store<'a>(call: &'a Call<'_>, group: &'static str, plural: &'static str) -> Result<&'a Store, ApiError> {
    let store = call.stores.get(group, plural);
    store
        .map(AsRef::as_ref)
        .ok_or_else(|| ApiError::internal(format!("{plural} are not stored")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_a_scheme_and_a_port() {
        for (text, expected) in [
            ("web", Some((Scheme::HTTP, "web", ""))),
            ("web:http", Some((Scheme::HTTP, "web", "http"))),
            ("https:web:8443", Some((Scheme::HTTPS, "web", "8443"))),
            ("https:web:", Some((Scheme::HTTPS, "web", ""))),
            ("ftp:web:21", None),
            (":80", None),
            ("a:b:c:d", None),
        ] {
            let name = split(text, "pod").map(|name| (name.scheme, name.name, name.port));
            assert_eq!(name.ok(), expected, "{text}");
        }
        let error = split(":80", "pod").err().unwrap();
        assert_eq!(error.message(), "invalid pod request \":80\"");
    }

    #[test]
    fn not_every_address_may_be_dialled() {
        assert_eq!(proxyable("10.1.2.3").unwrap(), "10.1.2.3");
        assert_eq!(proxyable("::1").unwrap(), "::1");
        for address in ["", "0.0.0.0", "169.254.169.254", "fe80::1", "224.0.0.1", "localhost"] {
            assert_eq!(
                proxyable(address).unwrap_err().message(),
                "address not allowed",
                "{address}"
            );
        }
    }
}
