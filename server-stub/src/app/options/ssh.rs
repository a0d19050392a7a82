//! Nodes that are reached over SSH.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::AppError;
use crate::app::flags::FlagSet;
use crate::proxy::{ProxyTls, Tunneler};

/// Connections to nodes through their SSH servers, as kube-apiserver had them up to version 1.21.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SshOptions {
    /// Who logs in to nodes. Default empty: nodes are reached directly.
    pub ssh_user: String,
    /// The user's private key.
    pub ssh_keyfile: Option<PathBuf>,
    /// The port of the nodes' SSH servers. Default 22.
    pub ssh_port: i64,
    /// Host keys of the nodes, as OpenSSH keeps them. Default: any host key will do.
    pub ssh_known_hosts: Option<PathBuf>,
}

const SSH_PORT: u16 = 22;

impl Default for SshOptions {
    fn default() -> Self {
        Self {
            ssh_user: String::new(),
            ssh_keyfile: None,
            ssh_port: SSH_PORT.into(),
            ssh_known_hosts: None,
        }
    }
}

impl SshOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "ssh-user",
            &mut self.ssh_user,
            "If non-empty, use secure SSH proxy to the nodes, using this user name.",
        );
        flags.add(
            "ssh-keyfile",
            &mut self.ssh_keyfile,
            "If non-empty, use secure SSH proxy to the nodes, using this user keyfile.",
        );
        flags.add("ssh-port", &mut self.ssh_port, "Port of the nodes' SSH servers.");
        flags.add(
            "ssh-known-hosts",
            &mut self.ssh_known_hosts,
            "Host keys of the nodes, in OpenSSH's format. Without it: any host key will do.",
        );
    }

    pub(super) fn validate(&self, kubelet_port: i64, errors: &mut Vec<String>) {
        if self.ssh_user.is_empty() {
            return;
        }
        if kubelet_port == 0 {
            errors.push("must enable kubelet port if proxy ssh-tunneling is specified".to_owned());
        }
        if self.ssh_keyfile.is_none() {
            errors.push("--ssh-keyfile must be given with --ssh-user".to_owned());
        }
        if !(1..=65535).contains(&self.ssh_port) {
            let port = self.ssh_port;
            errors.push(format!("--ssh-port {port} must be between 1 and 65535, inclusive"));
        }
        if cfg!(not(feature = "ssh")) {
            errors.push("--ssh-user: this program was built without the feature ssh".to_owned());
        }
    }

    /// What dials through nodes, if that is wanted.
    #[cfg(feature = "ssh")]
    pub(super) fn tunneler(&self, tls: ProxyTls, kubelet_port: u16) -> Result<Option<Arc<dyn Tunneler>>, AppError> {
        use crate::proxy::{SshLogin, SshTunneler};

        let Some(key) = self.ssh_keyfile.as_deref().filter(|_| !self.ssh_user.is_empty()) else {
            return Ok(None);
        };
        let port = u16::try_from(self.ssh_port).unwrap_or(SSH_PORT);
        let login = SshLogin::new(&self.ssh_user, key, port, self.ssh_known_hosts.as_deref())?;
        Ok(Some(Arc::new(SshTunneler::new(login, tls, kubelet_port))))
    }

    /// Nothing dials through nodes in this build.
    #[cfg(not(feature = "ssh"))]
    pub(super) fn tunneler(&self, _: ProxyTls, _: u16) -> Result<Option<Arc<dyn Tunneler>>, AppError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use crate::app::Options;

    fn errors(arguments: &[&str]) -> String {
        let options = Options::from_args(arguments.iter().copied()).unwrap();
        options
            .complete()
            .validate()
            .err()
            .map(|errors| errors.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn a_tunnel_needs_a_key_and_a_kubelet() {
        assert_eq!(errors(&["--ssh-keyfile=/nonexistent"]), "");
        let without_key = errors(&["--ssh-user=core"]);
        assert!(
            without_key.contains("--ssh-keyfile must be given with --ssh-user"),
            "{without_key}"
        );
        let without_port = errors(&["--ssh-user=core", "--ssh-keyfile=/key", "--kubelet-port=0"]);
        let expected = "must enable kubelet port if proxy ssh-tunneling is specified";
        assert!(without_port.contains(expected), "{without_port}");
        let wrong_port = errors(&["--ssh-user=core", "--ssh-keyfile=/key", "--ssh-port=0"]);
        let expected = "--ssh-port 0 must be between 1 and 65535, inclusive";
        assert!(wrong_port.contains(expected), "{wrong_port}");
        let missing_feature = errors(&["--ssh-user=core", "--ssh-keyfile=/key"]);
        assert_eq!(missing_feature.is_empty(), cfg!(feature = "ssh"), "{missing_feature}");
    }
}
