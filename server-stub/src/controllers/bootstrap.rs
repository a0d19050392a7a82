//! The service `kubernetes` in `default`: how programs inside a cluster find the server.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kubewire_client::{Clientset, Error, WriteOptions};

use crate::generic::hooks::PostStartHook;

const NAMESPACE: &str = "default";
const NAME: &str = "kubernetes";

/// Where the server itself can be reached.
#[derive(Clone, Copy, Debug)]
pub struct KubernetesService {
    /// The service's address.
    pub cluster_ip: IpAddr,
    /// The server's address.
    pub address: SocketAddr,
}

pub(super) fn hook(service: KubernetesService) -> PostStartHook {
    PostStartHook::new("bootstrap-controller", move |context| async move {
        // The namespace `default` may not be there yet: another hook makes it at this moment.
        super::system_namespaces::ensure(context.clientset(), "default").await?;
        create(context.clientset(), &service).await?;
        Ok(())
    })
}

/// Makes the service, and says where this server is; both may be there from an earlier one.
async fn create(clientset: &Clientset, service: &KubernetesService) -> Result<(), Error> {
    let options = WriteOptions::default();
    let services = clientset.core_v1().services(NAMESPACE);
    if is_missing(services.get(NAME).await)? {
        unless_exists(services.create(&service.service(), &options).await)?;
    }
    let slices = clientset.discovery_v1().endpoint_slices(NAMESPACE);
    let wanted = service.endpoint_slice();
    let written = match slices.get(NAME).await {
        Ok(there) if (&there.endpoints, &there.ports) == (&wanted.endpoints, &wanted.ports) => Ok(()),
        Ok(_) => slices.update(&wanted, &options).await.map(drop),
        Err(error) if error.is_not_found() => unless_exists(slices.create(&wanted, &options).await),
        Err(error) => Err(error),
    };
    match written {
        // A server that listens on a loopback address only has no address that endpoints may have.
        Err(error) if error.is_invalid() => {
            tracing::debug!(%error, "endpoints of the service {NAMESPACE}/{NAME}");
            Ok(())
        }
        result => result,
    }
}

fn is_missing<K>(result: Result<K, Error>) -> Result<bool, Error> {
    match result {
        Ok(_) => Ok(false),
        Err(error) if error.is_not_found() => Ok(true),
        Err(error) => Err(error),
    }
}

fn unless_exists<K>(result: Result<K, Error>) -> Result<(), Error> {
    match result {
        Err(error) if !error.is_already_exists() => Err(error),
        _ => Ok(()),
    }
}

impl KubernetesService {
    fn service(&self) -> Service {
        Service {
            metadata: metadata(&[("component", "apiserver"), ("provider", "kubernetes")]),
            spec: Some(ServiceSpec {
                cluster_ip: Some(self.cluster_ip.to_string()),
                ports: Some(vec![ServicePort {
                    name: Some("https".to_owned()),
                    port: 443,
                    protocol: Some("TCP".to_owned()),
                    target_port: Some(IntOrString::Int(self.address.port().into())),
                    ..ServicePort::default()
                }]),
                session_affinity: Some("None".to_owned()),
                type_: Some("ClusterIP".to_owned()),
                ..ServiceSpec::default()
            }),
            status: None,
        }
    }

    fn endpoint_slice(&self) -> EndpointSlice {
        EndpointSlice {
            metadata: metadata(&[("kubernetes.io/service-name", NAME)]),
            address_type: if self.address.is_ipv4() { "IPv4" } else { "IPv6" }.to_owned(),
            endpoints: Some(vec![Endpoint {
                addresses: vec![self.address.ip().to_string()],
                conditions: Some(EndpointConditions {
                    ready: Some(true),
                    ..EndpointConditions::default()
                }),
                ..Endpoint::default()
            }]),
            ports: Some(vec![EndpointPort {
                name: Some("https".to_owned()),
                port: Some(self.address.port().into()),
                protocol: Some("TCP".to_owned()),
                ..EndpointPort::default()
            }]),
        }
    }
}

fn metadata(labels: &[(&str, &str)]) -> ObjectMeta {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    ObjectMeta {
        name: Some(NAME.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        labels: Some(labels.iter().map(owned).collect()),
        ..ObjectMeta::default()
    }
}
