//! What can go wrong, in words for the person at the terminal.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {}: {source}", file.display())]
    ReadManifest { file: PathBuf, source: std::io::Error },
    #[error("{} is not valid YAML: {source}", file.display())]
    ParseManifest {
        file: PathBuf,
        source: Box<serde_saphyr::Error>,
    },
    #[error("{}: {kind} {name:?} does not fit its type: {source}", file.display())]
    ManifestType {
        file: PathBuf,
        kind: String,
        name: String,
        source: serde_json::Error,
    },
    #[error("{}: this program does not watch {api_version} {kind}", file.display())]
    UnknownKind {
        file: PathBuf,
        api_version: String,
        kind: String,
    },
    #[error("cannot start the embedded server: {0}")]
    Server(String),
    #[error("cannot use the cluster: {0}")]
    Cluster(String),
    #[error("cannot {0}")]
    Request(#[from] kubewire_client::Error),
    #[error("an object of the traffic does not fit its type: {0}")]
    Template(serde_json::Error),
    #[error("the traffic of the shop broke off: {0}")]
    Traffic(String),
    #[error("the informers did not sync: {0}")]
    Sync(String),
    #[error("cannot draw on the terminal: {0}")]
    Terminal(#[from] std::io::Error),
}
