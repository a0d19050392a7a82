//! Programs that print credentials (KEP-541, `client.authentication.k8s.io/v1` and `/v1beta1`).

use std::fmt;
use std::io::{IsTerminal, Write};
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::sync::Mutex;

use super::credentials::{Credential, CredentialError, bearer};
use super::kubeconfig::{Cluster, ExecConfig};
use super::tls::Identity;
use super::{ConfigError, Secret};

const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];

/// How much of the end of a program's standard error is kept for the error.
const KEPT_STDERR: usize = 4096;

/// A program that prints credentials, and what it is to be told.
///
/// What it prints is used until it expires or the server answers 401; clones share it, and only one run is under way
/// at a time. It has our standard input where `interactiveMode` wants that and ours is a terminal. What it writes to
/// standard error goes to ours, and where it fails the end of that is part of the error, without the values of its
/// environment and options.
#[derive(Clone)]
pub struct ExecCredentials {
    program: Program,
    printed: Arc<Mutex<Option<Printed>>>,
}

#[derive(Clone, Debug)]
struct Program {
    config: ExecConfig,
    /// What `KUBERNETES_EXEC_INFO` says of the cluster; a secret because the proxy's URL may hold a password.
    cluster: Option<Secret>,
    of: String,
    interactive_mode: InteractiveMode,
    has_terminal: fn() -> bool,
}

#[derive(Clone, Copy, Debug)]
enum InteractiveMode {
    Never,
    IfAvailable,
    Always,
}

struct Printed {
    credential: Credential,
    expires: Option<Timestamp>,
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
        let interactive_mode = match config.interactive_mode.as_deref() {
            Some("Never") => InteractiveMode::Never,
            Some("IfAvailable") => InteractiveMode::IfAvailable,
            Some("Always") => InteractiveMode::Always,
            None if config.api_version == VERSIONS[1] => InteractiveMode::IfAvailable,
            None => return Err(ConfigError::invalid("exec", Some(of), "interactiveMode is not set")),
            Some(mode) => {
                let reason = format!("interactiveMode {mode:?} is not one of Never, IfAvailable, Always");
                return Err(ConfigError::invalid("exec", Some(of), reason));
            }
        };
        let cluster = match config.provide_cluster_info {
            true => Some(Secret::new(cluster_info(cluster)?.to_string())),
            false => None,
        };
        let program = Program {
            config: config.clone(),
            cluster,
            of: of.to_owned(),
            interactive_mode,
            has_terminal: || std::io::stdin().is_terminal(),
        };
        Ok(Self {
            program,
            printed: Arc::default(),
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
        } = &self.program.config;
        let mode = interactive_mode.as_deref().unwrap_or("IfAvailable");
        let mut words = vec![api_version.clone(), mode.to_owned(), command.clone()];
        words.extend(args.iter().map(|argument| argument.expose().to_owned()));
        words.extend(env.iter().map(|env| format!("{}={}", env.name, env.value.expose())));
        words
    }

    /// Does as if our standard input were a terminal, or were none.
    #[cfg(test)]
    pub(super) fn with_terminal(mut self, has_terminal: fn() -> bool) -> Self {
        self.program.has_terminal = has_terminal;
        self
    }

    /// Cancel safe: dropping it ends the program.
    pub(super) async fn get(&self) -> Result<Credential, CredentialError> {
        let mut printed = self.printed.lock().await;
        if let Some(printed) = &*printed
            && printed.expires.is_none_or(|at| Timestamp::now() < at)
        {
            return Ok(printed.credential.clone());
        }
        let new = self.program.run().await?;
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

impl fmt::Debug for ExecCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExecCredentials").field(&self.program).finish()
    }
}

impl Program {
    async fn run(&self) -> Result<Printed, CredentialError> {
        let interactive = self.is_interactive()?;
        let mut child = tokio::process::Command::new(&self.config.command)
            .args(self.config.args.iter().map(Secret::expose))
            .envs(self.config.env.iter().map(|env| (&env.name, env.value.expose())))
            .env("KUBERNETES_EXEC_INFO", self.info(interactive)?)
            .stdin(if interactive { Stdio::inherit() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match &self.config.install_hint {
                Some(hint) if error.kind() == std::io::ErrorKind::NotFound => self.failed(format!("{error}\n\n{hint}")),
                _ => self.failed(error.to_string()),
            })?;
        let stderr = child.stderr.take();
        let (output, stderr) = tokio::join!(child.wait_with_output(), passed_on(stderr));
        let output = output.map_err(|error| self.failed(error.to_string()))?;
        if !output.status.success() {
            let said = self.without_secrets(&stderr);
            return Err(self.failed(match said.trim() {
                "" => output.status.to_string(),
                said => format!("{}: {said}", output.status),
            }));
        }
        self.parse(&output.stdout)
    }

    /// Whether the program has our standard input.
    fn is_interactive(&self) -> Result<bool, CredentialError> {
        let impossible =
            |reason: &str| Err(self.failed(format!("exec plugin cannot support interactive mode: {reason}")));
        let unavailable = &self.config.stdin_unavailable;
        match (self.interactive_mode, (self.has_terminal)(), unavailable) {
            (InteractiveMode::Never, ..) => Ok(false),
            (InteractiveMode::IfAvailable, terminal, unavailable) => Ok(terminal && unavailable.is_none()),
            (InteractiveMode::Always, false, _) => impossible("standard input is not a terminal"),
            (InteractiveMode::Always, true, Some(why)) => impossible(&format!("standard input is unavailable: {why}")),
            (InteractiveMode::Always, true, None) => Ok(true),
        }
    }

    fn info(&self, interactive: bool) -> Result<String, CredentialError> {
        let mut spec = json!({ "interactive": interactive });
        if let Some(cluster) = &self.cluster {
            spec["cluster"] =
                serde_json::from_str(cluster.expose()).map_err(|_| self.failed("cluster is not valid JSON"))?;
        }
        let info = json!({ "apiVersion": self.config.api_version, "kind": "ExecCredential", "spec": spec });
        Ok(info.to_string())
    }

    /// Hides what may be a password: the values of the environment and of options.
    fn without_secrets(&self, said: &[u8]) -> String {
        let mut said = String::from_utf8_lossy(said).into_owned();
        let mut after_option = false;
        let options = self.config.args.iter().filter_map(|argument| {
            let argument = argument.expose();
            let is_value = std::mem::replace(&mut after_option, argument.starts_with('-'));
            match argument.strip_prefix('-') {
                Some(option) => option.split_once('=').map(|(_, value)| value),
                None => is_value.then_some(argument),
            }
        });
        let values = self.config.env.iter().map(|env| env.value.expose()).chain(options);
        for value in values.filter(|value| value.len() >= 4) {
            said = said.replace(value, "[hidden]");
        }
        said
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
            (Some(certificate), Some(key)) => Some(Arc::new(Identity {
                certificate: certificate.into_bytes(),
                key: key.expose().as_bytes().to_vec(),
            })),
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

/// Copies a program's standard error to ours while it runs, and returns the end of it.
async fn passed_on(stderr: Option<ChildStderr>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stderr) = stderr else { return kept };
    let mut chunk = [0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        let said = chunk.get(..length).unwrap_or_default();
        // Nobody is left to tell where our own standard error is closed.
        let _ = std::io::stderr().write_all(said);
        kept.extend_from_slice(said);
        kept.drain(..kept.len().saturating_sub(KEPT_STDERR));
    }
    kept
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
