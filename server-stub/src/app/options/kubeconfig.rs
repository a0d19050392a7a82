//! How clients find the server and are let in.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::secure_serving::write;
use crate::app::AppError;
use crate::app::flags::FlagSet;
use crate::generic::certificates::KeyPair;

/// The kubeconfig file for the administrator.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct KubeconfigOptions {
    /// Writes a kubeconfig file for an administrator once the port is open.
    pub write_kubeconfig: Option<PathBuf>,
}

impl KubeconfigOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "write-kubeconfig",
            &mut self.write_kubeconfig,
            "Writes a kubeconfig file for an administrator once the port is open.",
        );
    }

    pub(crate) fn write(&self, kubeconfig: &str) -> Result<(), AppError> {
        match &self.write_kubeconfig {
            Some(path) => write(path, kubeconfig, true),
            None => Ok(()),
        }
    }
}

/// A kubeconfig file with one cluster, and one user who has a client certificate.
pub(crate) fn kubeconfig_text(url: &str, ca_pem: &str, admin: &KeyPair) -> String {
    let [ca, certificate, key] = [ca_pem, &admin.certificate_pem, &admin.key_pem].map(|pem| STANDARD.encode(pem));
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: kubewire
  cluster:
    server: {url}
    certificate-authority-data: {ca}
users:
- name: admin
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: kubewire
  context:
    cluster: kubewire
    user: admin
current-context: kubewire
"
    )
}
