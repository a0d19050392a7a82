//! Programs that print credentials (KEP-541, `client.authentication.k8s.io/v1` and `/v1beta1`).

use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::credentials::{Credential, CredentialError, bearer};
use super::kubeconfig::{Cluster, ExecConfig};
use super::tls::Identity;
use super::{ConfigError, Secret};

const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];

/// A program that prints credentials, and what it is to be told.
///
/// It runs without standard input, its standard error is ours, and what it prints is used until it expires or the
/// server answers 401.
#[derive(Clone, Debug)]
pub struct ExecCredentials {
    config: ExecConfig,
    /// What `KUBERNETES_EXEC_INFO` says of the cluster; a secret because the proxy's URL may hold a password.
    cluster: Option<Secret>,
    of: String,
}

impl ExecCredentials {
    /// Runs `config` for the user called `of`, telling it of `cluster` where it asks to be told.
    pub fn new(config: &ExecConfig, cluster: &Cluster, of: &str) -> Result<Self, ConfigError> {
        if !VERSIONS.contains(&config.api_version.as_str()) {
            let reason = format!(
                "apiVersion {:?} is not one of {}",
                config.api_version,
                VERSIONS.join(", ")
            );
            return Err(ConfigError::invalid("exec", Some(of), reason));
        }
        if config.command.is_empty() {
            return Err(ConfigError::invalid("exec", Some(of), "command is not set"));
        }
        match config.interactive_mode.as_deref() {
            Some("Never" | "IfAvailable") => {}
            None if config.api_version == VERSIONS[1] => {}
            None => return Err(ConfigError::invalid("exec", Some(of), "interactiveMode is not set")),
            Some("Always") => {
                return Err(ConfigError::Unsupported {
                    feature: "an exec credential plugin that needs standard input (interactiveMode: Always)",
                    of: Some(of.to_owned()),
                });
            }
            Some(mode) => {
                let reason = format!("interactiveMode {mode:?} is not one of Never, IfAvailable, Always");
                return Err(ConfigError::invalid("exec", Some(of), reason));
            }
        }
        let cluster = match config.provide_cluster_info {
            true => Some(Secret::new(cluster_info(cluster)?.to_string())),
            false => None,
        };
        Ok(Self {
            config: config.clone(),
            cluster,
            of: of.to_owned(),
        })
    }

    /// Everything about the program in a row.
    #[cfg(test)]
    pub(super) fn described(&self) -> Vec<String> {
        let ExecConfig {
            api_version,
            command,
            args,
            env,
            interactive_mode,
            ..
        } = &self.config;
        let mode = interactive_mode.as_deref().unwrap_or("IfAvailable");
        let mut words = vec![api_version.clone(), mode.to_owned(), command.clone()];
        words.extend(args.iter().map(|argument| argument.expose().to_owned()));
        words.extend(env.iter().map(|env| format!("{}={}", env.name, env.value.expose())));
        words
    }

    async fn run(&self) -> Result<Printed, CredentialError> {
        let child = tokio::process::Command::new(&self.config.command)
            .args(self.config.args.iter().map(Secret::expose))
            .envs(self.config.env.iter().map(|env| (&env.name, env.value.expose())))
            .env("KUBERNETES_EXEC_INFO", self.info()?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match &self.config.install_hint {
                Some(hint) if error.kind() == std::io::ErrorKind::NotFound => self.failed(format!("{error}\n\n{hint}")),
                _ => self.failed(error.to_string()),
            })?;
        let output = child
            .wait_with_output()
            .await
            .map_err(|error| self.failed(error.to_string()))?;
        if !output.status.success() {
            return Err(self.failed(output.status.to_string()));
        }
        self.parse(&output.stdout)
    }

    fn info(&self) -> Result<String, CredentialError> {
        let mut spec = json!({ "interactive": false });
        if let Some(cluster) = &self.cluster {
            spec["cluster"] =
                serde_json::from_str(cluster.expose()).map_err(|_| self.failed("cluster is not valid JSON"))?;
        }
        let info = json!({ "apiVersion": self.config.api_version, "kind": "ExecCredential", "spec": spec });
        Ok(info.to_string())
    }

    fn parse(&self, stdout: &[u8]) -> Result<Printed, CredentialError> {
        // The parser's message is left out: it may quote a secret.
        let printed: ExecCredential = serde_json::from_slice(stdout).map_err(|error| {
            let at = format!("line {}, column {}", error.line(), error.column());
            self.failed(format!("it printed no valid ExecCredential: {at}"))
        })?;
        if printed.kind != "ExecCredential" || printed.api_version != self.config.api_version {
            let (version, kind) = (&printed.api_version, &printed.kind);
            return Err(self.failed(format!(
                "it printed {version} {kind}, wanted {} ExecCredential",
                self.config.api_version
            )));
        }
        let status = printed.status.ok_or_else(|| self.failed("it printed no status"))?;
        let authorization = match status.token.as_ref().filter(|token| !token.expose().is_empty()) {
            Some(token) => Some(
                bearer(token.expose())
                    .ok_or_else(|| self.failed("its token holds characters that a token cannot have"))?,
            ),
            None => None,
        };
        let identity = match (status.client_certificate_data, status.client_key_data) {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: certificate.into_bytes(),
                key: key.expose().as_bytes().to_vec(),
            }),
            (None, None) => None,
            _ => return Err(self.failed("it printed only one of clientCertificateData and clientKeyData")),
        };
        if authorization.is_none() && identity.is_none() {
            return Err(self.failed("it printed neither a token nor a client certificate"));
        }
        Ok(Printed {
            credential: Credential {
                authorization,
                identity,
            },
            expires: status.expiration_timestamp,
        })
    }

    fn failed(&self, reason: impl Into<String>) -> CredentialError {
        CredentialError::Exec {
            command: self.config.command.clone(),
            of: self.of.clone(),
            reason: reason.into(),
        }
    }
}

/// Remembers what the program printed. Only one run is under way at a time.
pub(crate) struct ExecCache {
    exec: ExecCredentials,
    printed: Mutex<Option<Printed>>,
}

struct Printed {
    credential: Credential,
    expires: Option<Timestamp>,
}

impl ExecCache {
    pub(super) fn new(exec: ExecCredentials) -> Self {
        Self {
            exec,
            printed: Mutex::default(),
        }
    }

    /// Cancel safe: dropping it ends the program.
    pub(super) async fn get(&self) -> Result<Credential, CredentialError> {
        let mut printed = self.printed.lock().await;
        if let Some(printed) = &*printed
            && printed.expires.is_none_or(|at| Timestamp::now() < at)
        {
            return Ok(printed.credential.clone());
        }
        let new = self.exec.run().await?;
        let credential = new.credential.clone();
        *printed = Some(new);
        Ok(credential)
    }

    /// Forgets what was printed, unless it has been replaced since.
    pub(super) async fn reject(&self, rejected: &Credential) {
        let mut printed = self.printed.lock().await;
        if let Some(Printed { credential, .. }) = &*printed
            && credential == rejected
        {
            *printed = None;
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    api_version: String,
    kind: String,
    status: Option<ExecCredentialStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredentialStatus {
    expiration_timestamp: Option<Timestamp>,
    token: Option<Secret>,
    client_certificate_data: Option<String>,
    client_key_data: Option<Secret>,
}

fn cluster_info(cluster: &Cluster) -> Result<serde_json::Value, ConfigError> {
    let mut info = serde_json::Map::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            info.insert(name.to_owned(), value.into());
        }
    };
    put("server", cluster.server.clone());
    put("tls-server-name", cluster.tls_server_name.clone());
    put(
        "proxy-url",
        cluster.proxy_url.as_ref().map(|url| url.expose().to_owned()),
    );
    let ca = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) => Some(data.clone()),
        (None, Some(path)) => Some(STANDARD.encode(super::tls::read_pem("certificate-authority", path)?)),
        (None, None) => None,
    };
    put("certificate-authority-data", ca);
    if cluster.insecure_skip_tls_verify {
        info.insert("insecure-skip-tls-verify".to_owned(), true.into());
    }
    // The extension by which a cluster speaks to the plugin.
    let config = cluster
        .extensions
        .iter()
        .find(|entry| entry.name == "client.authentication.k8s.io/exec");
    if let Some(config) = config {
        info.insert("config".to_owned(), config.extension.clone());
    }
    Ok(info.into())
}
