//! What the process's surroundings say: `KUBECONFIG`, the home folder, the pod's service account.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError, Credentials, Kubeconfig, KubeconfigOptions};

const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The facts about the process that configuration depends on; tests make their own.
pub(super) struct Environment {
    pub(super) kubeconfig: Option<OsString>,
    pub(super) home: Option<PathBuf>,
    pub(super) service_host: Option<String>,
    pub(super) service_port: Option<String>,
    pub(super) service_account: PathBuf,
}

impl Environment {
    pub(super) fn of_process() -> Self {
        Self {
            kubeconfig: std::env::var_os("KUBECONFIG"),
            home: std::env::home_dir(),
            service_host: std::env::var("KUBERNETES_SERVICE_HOST").ok(),
            service_port: std::env::var("KUBERNETES_SERVICE_PORT").ok(),
            service_account: SERVICE_ACCOUNT.into(),
        }
    }

    /// The kubeconfig files that are there, or the service account.
    pub(super) fn infer(&self, options: &KubeconfigOptions) -> Result<Config, ConfigError> {
        let kubeconfig = self.kubeconfig()?;
        if !kubeconfig.is_empty() {
            return Config::from_kubeconfig(&kubeconfig, options);
        }
        self.in_cluster().map_err(|error| ConfigError::NotFound {
            looked_at: self.looked_at(),
            not_in_cluster: Box::new(error),
        })
    }

    /// The merged kubeconfig files; files that do not exist are passed over.
    pub(super) fn kubeconfig(&self) -> Result<Kubeconfig, ConfigError> {
        let mut merged = Kubeconfig::default();
        for path in self.kubeconfig_paths() {
            match Kubeconfig::read(&path) {
                Ok(next) => merged = merged.merge(next),
                Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(merged)
    }

    fn kubeconfig_paths(&self) -> Vec<PathBuf> {
        match &self.kubeconfig {
            Some(list) if !list.is_empty() => {
                let mut paths = Vec::new();
                for path in std::env::split_paths(list) {
                    if !path.as_os_str().is_empty() && !paths.contains(&path) {
                        paths.push(path);
                    }
                }
                paths
            }
            _ => self.home.iter().map(|home| home.join(".kube").join("config")).collect(),
        }
    }

    fn looked_at(&self) -> String {
        let paths = self.kubeconfig_paths();
        if paths.is_empty() {
            return "no home folder and no KUBECONFIG".to_owned();
        }
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        format!("nothing in {}", paths.join(", "))
    }

    /// The pod's service account.
    pub(super) fn in_cluster(&self) -> Result<Config, ConfigError> {
        let (host, port) = match (present(&self.service_host), present(&self.service_port)) {
            (Some(host), Some(port)) => (host, port),
            _ => {
                return Err(ConfigError::NotInCluster(
                    "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not both set",
                ));
            }
        };
        let token = self.service_account.join("token");
        // Read once now, so that a pod without a token fails here and not at its first request.
        read_text("service account token", &token)?;

        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let mut config = Config::new(format!("https://{host}:{port}")).with_credentials(Credentials::token_file(token));
        let ca = self.service_account.join("ca.crt");
        if ca.exists() {
            config = config.with_ca_file(ca);
        } else {
            tracing::warn!(path = %ca.display(), "no service account CA: trusting the system's certificate authorities");
        }
        if let Ok(namespace) = read_text("service account namespace", &self.service_account.join("namespace"))
            && !namespace.trim().is_empty()
        {
            config = config.with_namespace(namespace.trim());
        }
        Ok(config)
    }
}

fn present(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

pub(super) fn read_text(what: &'static str, path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read {
        what,
        path: path.to_owned(),
        source,
    })
}
