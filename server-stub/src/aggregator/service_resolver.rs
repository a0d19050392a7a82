//! Where the servers behind a service are.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kubewire_client::ObjectKey;
use kubewire_informers::{CachedObject, Lister, SharedInformer};

/// Names the service that an EndpointSlice belongs to.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Finds servers by informers.
pub(crate) struct ServiceResolver {
    services: Lister<Service>,
    slices: Lister<EndpointSlice>,
}

/// Why there is no server to ask: reason and message as in the condition `Available` of an APIService.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unresolved {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl ServiceResolver {
    pub(crate) fn new(services: &SharedInformer<Service>, slices: &SharedInformer<EndpointSlice>) -> Self {
        Self {
            services: services.lister(),
            slices: slices.lister(),
        }
    }

    /// Host and port of a server behind the service.
    ///
    /// Cluster IPs lead nowhere where nothing forwards them, so this picks a ready endpoint, as kube-apiserver does
    /// with `--enable-aggregator-routing`. An external name is taken as it is.
    pub(crate) fn resolve(&self, namespace: &str, name: &str, port: i32) -> Result<(String, u16), Unresolved> {
        let unresolved = |reason, message| Unresolved { reason, message };
        let missing = || {
            unresolved(
                "ServiceNotFound",
                format!("service/{name} in {namespace:?} is not present"),
            )
        };
        let service = self
            .services
            .get(&ObjectKey::new(namespace, name))
            .ok_or_else(missing)?;
        let broken = |error: &dyn std::error::Error| {
            let message = format!("service/{name} in {namespace:?} cannot be accessed due to: {error}");
            unresolved("ServiceAccessError", message)
        };
        let service = service.decode().map_err(|error| broken(&error))?;
        let spec = service.spec.clone().unwrap_or_default();
        let not_listening = || {
            let message = format!("service/{name} in {namespace:?} is not listening on port {port}");
            unresolved("ServicePortError", message)
        };
        if spec.type_.as_deref() == Some("ExternalName") {
            let host = spec.external_name.unwrap_or_default();
            return Ok((host, u16::try_from(port).map_err(|_| not_listening())?));
        }
        let ports = spec.ports.unwrap_or_default();
        let wanted = ports
            .iter()
            .find(|candidate| candidate.port == port)
            .ok_or_else(not_listening)?;
        let port_name = wanted.name.as_deref().unwrap_or_default();
        let slices = self.slices_of(namespace, name);
        if slices.is_empty() {
            let message = format!("cannot find endpointslices for service/{name} in {namespace:?}");
            return Err(unresolved("EndpointsNotFound", message));
        }
        let endpoint = slices
            .iter()
            .find_map(|slice| ready_endpoint(&*slice.decode().ok()?, wanted));
        endpoint.ok_or_else(|| {
            let message = format!(
                "endpointslices for service/{name} in {namespace:?} have no addresses with port name {port_name:?}"
            );
            unresolved("MissingEndpoints", message)
        })
    }

    fn slices_of(&self, namespace: &str, name: &str) -> Vec<CachedObject<EndpointSlice>> {
        let slices = self.slices.namespace(namespace).list();
        slices
            .into_iter()
            .filter(|slice| slice.label(SERVICE_NAME) == Some(name))
            .collect()
    }
}

/// The first endpoint that is ready and has the port. An endpoint that does not say is ready.
fn ready_endpoint(slice: &EndpointSlice, wanted: &ServicePort) -> Option<(String, u16)> {
    let name = wanted.name.as_deref().unwrap_or_default();
    let mut ports = slice.ports.iter().flatten();
    let port = ports
        .find(|port| port.name.as_deref().unwrap_or_default() == name)?
        .port;
    let target = match &wanted.target_port {
        Some(IntOrString::Int(target)) if *target != 0 => *target,
        _ => wanted.port,
    };
    let ready = slice.endpoints.iter().flatten().find(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.and_then(|conditions| conditions.ready) != Some(false) && !endpoint.addresses.is_empty()
    })?;
    let port = u16::try_from(port.unwrap_or(target)).ok()?;
    Some((ready.addresses.first()?.clone(), port))
}
