//! The servers inside of a cluster that requests are handed to: kubelets, pods and services.

use super::transport::ProxyTransport;

/// How kubelets, pods and services are reached.
#[derive(Clone)]
pub struct Backends {
    /// How kubelets are reached.
    pub kubelets: Kubelets,
    /// Connections to pods and to endpoints of services. Their certificates are not verified: they are dialled by
    /// address, and what they are is for the user to know.
    pub pods_and_services: ProxyTransport,
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
