//! How kubelets, pods and services are reached.

use std::path::PathBuf;
use std::sync::Arc;

use super::secure_serving::read;
use super::ssh::SshOptions;
use crate::app::AppError;
use crate::app::flags::FlagSet;
use crate::generic::certificates::KeyPair;
use crate::proxy::{Backends, Dialer, DirectDialer, Kubelets, ProxyTls, ProxyTransport, Trust};

/// Connections to nodes and what runs on them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KubeletOptions {
    /// Authorities (PEM) of the kubelets' serving certificates. Default: any certificate will do.
    pub kubelet_certificate_authority: Option<PathBuf>,
    /// Client certificate (PEM) that kubelets are shown.
    pub kubelet_client_certificate: Option<PathBuf>,
    /// Key of --kubelet-client-certificate (PEM).
    pub kubelet_client_key: Option<PathBuf>,
    /// Port of kubelets whose node does not name one. Default 10250.
    pub kubelet_port: i64,
    /// Types of a node's addresses, the preferred one first.
    pub kubelet_preferred_address_types: Vec<String>,
}

const KUBELET_PORT: u16 = 10250;

const ADDRESS_TYPES: [&str; 5] = ["Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP"];

impl Default for KubeletOptions {
    fn default() -> Self {
        Self {
            kubelet_certificate_authority: None,
            kubelet_client_certificate: None,
            kubelet_client_key: None,
            kubelet_port: KUBELET_PORT.into(),
            kubelet_preferred_address_types: ADDRESS_TYPES.map(str::to_owned).to_vec(),
        }
    }
}

impl KubeletOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "kubelet-certificate-authority",
            &mut self.kubelet_certificate_authority,
            "Authorities (PEM) of the kubelets' serving certificates. Without it: any certificate will do.",
        );
        flags.add(
            "kubelet-client-certificate",
            &mut self.kubelet_client_certificate,
            "Client certificate (PEM) that kubelets are shown.",
        );
        flags.add(
            "kubelet-client-key",
            &mut self.kubelet_client_key,
            "Key of --kubelet-client-certificate (PEM).",
        );
        flags.add(
            "kubelet-port",
            &mut self.kubelet_port,
            "Port of kubelets whose node does not name one.",
        );
        flags.deprecate("kubelet-port", "it will be removed.");
        flags.add(
            "kubelet-preferred-address-types",
            &mut self.kubelet_preferred_address_types,
            "Types of a node's addresses, the preferred one first.",
        );
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        if self.kubelet_client_certificate.is_some() != self.kubelet_client_key.is_some() {
            errors.push("--kubelet-client-certificate and --kubelet-client-key must be given together".to_owned());
        }
        if !(1..=65535).contains(&self.kubelet_port) {
            let port = self.kubelet_port;
            errors.push(format!("--kubelet-port {port} must be between 1 and 65535, inclusive"));
        }
    }

    /// Connections, of which none is open yet.
    pub(crate) fn backends(&self, ssh: &SshOptions) -> Result<Backends, AppError> {
        let trust = match &self.kubelet_certificate_authority {
            Some(path) => Trust::Bundle(read(path)?.into_bytes()),
            None => Trust::Anybody,
        };
        let identity = match (&self.kubelet_client_certificate, &self.kubelet_client_key) {
            (Some(certificate), Some(key)) => Some(KeyPair {
                certificate_pem: read(certificate)?,
                key_pem: read(key)?,
            }),
            _ => None,
        };
        let port = u16::try_from(self.kubelet_port).unwrap_or(KUBELET_PORT);
        // The kubelet's certificate is not for the address at which its node knows it.
        let health_check = ProxyTls::new(&Trust::Anybody, identity.as_ref())?;
        let tunneler = ssh.tunneler(health_check, port)?;
        let dialer: Arc<dyn Dialer> = match &tunneler {
            Some(tunneler) => tunneler.clone(),
            None => Arc::new(DirectDialer),
        };
        let kubelets = ProxyTls::new(&trust, identity.as_ref())?;
        let pods_and_services = ProxyTls::new(&Trust::Anybody, None)?;
        Ok(Backends {
            kubelets: Kubelets {
                transport: ProxyTransport::new(dialer.clone(), kubelets),
                default_port: port,
                address_types: self.kubelet_preferred_address_types.clone(),
            },
            pods_and_services: ProxyTransport::new(dialer, pods_and_services),
            tunneler,
        })
    }
}
