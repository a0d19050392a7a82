//! The servers inside of a cluster that requests are handed to: kubelets, pods and services.

use std::sync::Arc;

use super::transport::ProxyTransport;
use super::tunneler::{self, Tunneler};
use crate::generic::metrics::Exposition;

/// How kubelets, pods and services are reached.
#[derive(Clone)]
pub struct Backends {
    /// How kubelets are reached.
    pub kubelets: Kubelets,
    /// Connections to pods and to endpoints of services. Their certificates are not verified: they are dialled by
    /// address, and what they are is for the user to know.
    pub pods_and_services: ProxyTransport,
    /// What both are dialled by, if not directly.
    pub tunneler: Option<Arc<dyn Tunneler>>,
}

impl Backends {
    /// Shows how many connections were opened, and for how many requests.
    pub(crate) fn show(&self, shown: &mut Exposition) {
        let backends = [
            ("kubelet", &self.kubelets.transport),
            ("pod_or_service", &self.pods_and_services),
        ];
        let help = "Connections that were opened to hand requests to other servers.";
        let mut writer = shown.counter("kubewire_proxy_connections_opened_total", help);
        for (backend, transport) in &backends {
            writer.sample([("backend", *backend)], transport.connections_opened());
        }
        let mut writer = shown.counter(
            "kubewire_proxy_requests_total",
            "Requests that were handed to other servers.",
        );
        for (backend, transport) in &backends {
            writer.sample([("backend", *backend)], transport.requests_sent());
        }
        if let Some(tunneler) = &self.tunneler {
            tunneler::show(&**tunneler, shown);
        }
    }
}

/// How kubelets are reached.
#[derive(Clone)]
pub struct Kubelets {
    /// Connections to them.
    pub transport: ProxyTransport,
    /// The port where a node does not name one.
    pub default_port: u16,
    /// Types of a node's addresses, the preferred one first.
    pub address_types: Vec<String>,
}
