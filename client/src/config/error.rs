//! What can be wrong with a configuration.

use std::io;
use std::path::PathBuf;

/// A configuration that cannot be used. Messages name the field, file or entry at fault and never show a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file could not be read.
    #[error("read {what} {}: {source}", path.display())]
    Read {
        /// What the file holds, such as `kubeconfig`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("write {what} {}: {source}", path.display())]
    Write {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A kubeconfig is not YAML of the right shape. The parser's own message is left out: it may quote a secret.
    #[error("{origin} is not a valid kubeconfig: line {line}, column {column}")]
    Parse {
        /// The file, or `kubeconfig` for text given directly.
        origin: String,
        /// Line, from 1; 0 where it is not known.
        line: u64,
        /// Column, from 1; 0 where it is not known.
        column: u64,
    },
    /// A kubeconfig could not be turned into YAML.
    #[error("serialize kubeconfig: {0}")]
    Serialize(String),
    /// Neither a kubeconfig nor a service account was found.
    #[error("no configuration: {looked_at}, and not in a cluster ({not_in_cluster})")]
    NotFound {
        /// Which kubeconfig files were looked at.
        looked_at: String,
        /// Why there is no in-cluster configuration.
        not_in_cluster: Box<ConfigError>,
    },
    /// The program does not run inside a cluster.
    #[error("{0}")]
    NotInCluster(&'static str),
    /// The kubeconfig has no `current-context` and none was asked for.
    #[error("kubeconfig has no current-context")]
    NoCurrentContext,
    /// A name that the kubeconfig does not define.
    #[error("kubeconfig has no {kind} {name:?}{}", referrer.as_ref().map(|r| format!(", named by {r}")).unwrap_or_default())]
    Missing {
        /// `context`, `cluster` or `user`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Who asks for it.
        referrer: Option<String>,
    },
    /// A field has a value that cannot be used.
    #[error("{field}{}: {reason}", of.as_ref().map(|o| format!(" of {o}")).unwrap_or_default())]
    Invalid {
        /// The field, as in a kubeconfig.
        field: &'static str,
        /// The cluster, user or file it belongs to.
        of: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// Something that is valid but that this client cannot do.
    #[error("{feature} is not supported{}", of.as_ref().map(|o| format!(" ({o})")).unwrap_or_default())]
    Unsupported {
        /// What.
        feature: &'static str,
        /// The cluster or user that asks for it.
        of: Option<String>,
    },
    /// TLS or the HTTP client could not be set up.
    #[error("set up {what}: {source}")]
    Setup {
        /// Which part.
        what: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ConfigError {
    pub(crate) fn invalid(field: &'static str, of: Option<&str>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            of: of.map(str::to_owned),
            reason: reason.into(),
        }
    }

    pub(crate) fn setup(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Setup {
            what,
            source: source.into(),
        }
    }
}
