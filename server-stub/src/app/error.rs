//! Why the server does not start, or stopped.

use std::path::PathBuf;

use super::options::InvalidOptions;
use crate::authentication::{ClientCaError, KeyError, TokenFileError};
use crate::generic::RunError;
use crate::generic::certificates::CertificateError;
use crate::generic::dynamic_files::{DynamicFilesError, MakeError};
use crate::generic::hooks::DuplicateHookError;
use crate::generic::serving::ServingError;
use crate::proxy::ProxyTlsError;
use crate::storage::StorageError;
use crate::storage::disk::OpenError;

/// An error of the program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// A file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The audit log cannot be opened.
    #[error("--audit-log-path: open {path}")]
    AuditLog {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The options are wrong.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The certificate made at start cannot be used.
    #[error("use the certificate that was made")]
    ServingCertificate(#[source] MakeError),
    /// Certificates in files cannot be used.
    #[error(transparent)]
    Files(#[from] DynamicFilesError),
    /// The bound address cannot be told.
    #[error("find out the port that was bound")]
    LocalAddress(#[source] std::io::Error),
    /// The administrator's certificate cannot be read.
    #[error("use the administrator's certificate that was made")]
    AdminCertificate(#[source] rustls_pki_types::pem::Error),
    /// A key for service account tokens cannot be used.
    #[error("keys of service account tokens")]
    ServiceAccountKey(#[from] KeyError),
    /// A certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificates for kubelets are wrong.
    #[error("connections to kubelets")]
    Kubelets(#[from] ProxyTlsError),
    /// Nodes cannot be reached over SSH.
    #[cfg(feature = "ssh")]
    #[error(transparent)]
    Ssh(#[from] crate::proxy::SshError),
    /// The authority made at start cannot be used for its clients.
    #[error("know the clients of the authority that was made")]
    ClientCa(#[from] ClientCaError),
    /// `--token-auth-file` is wrong.
    #[error("--token-auth-file")]
    TokenFile(#[from] TokenFileError),
    /// The port cannot be served.
    #[error(transparent)]
    Serving(#[from] ServingError),
    /// Two hooks have the same name.
    #[error(transparent)]
    DuplicateHook(#[from] DuplicateHookError),
    /// Storage cannot be reached.
    #[error("unable to create storage backend")]
    Storage(#[from] StorageError),
    /// Storage on disk cannot be opened.
    #[error("open the storage")]
    OpenStorage(#[from] OpenError),
    /// The server stopped with an error.
    #[error(transparent)]
    Run(#[from] RunError),
}
