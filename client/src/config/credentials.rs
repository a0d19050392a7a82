//! Credentials at run time: the `Authorization` header, and a client certificate where a program prints one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::oidc::OidcCredentials;
use super::tls::Identity;
use super::{ConfigError, Credentials, ExecCredentials, Secret};

/// How long a file's content is taken for current.
pub(crate) const REREAD_AFTER: Duration = Duration::from_secs(60);

/// Credentials that could not be had. Messages never show a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The token file could not be read, and no token was known before.
    #[error("read token file {}: {source}", path.display())]
    ReadToken {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The token file holds nothing that could be a token.
    #[error("token file {} {reason}", path.display())]
    InvalidToken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The credential program failed.
    #[error("run credential plugin {command:?} of {of}: {reason}")]
    Exec {
        /// The program.
        command: String,
        /// The user it belongs to.
        of: String,
        /// What went wrong.
        reason: String,
    },
    /// The OpenID Connect issuer gave no token.
    #[error("get a token of {of} from {issuer}: {reason}")]
    Oidc {
        /// The issuer's URL.
        issuer: String,
        /// The user it belongs to.
        of: String,
        /// What went wrong.
        reason: String,
    },
}

/// What goes with one request.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) authorization: Option<HeaderValue>,
    /// Client certificate to connect with, where a program printed one.
    pub(crate) identity: Option<Arc<Identity>>,
}

/// Where credentials come from.
pub(crate) enum CredentialSource {
    Fixed(Option<HeaderValue>),
    File(TokenFile),
    Exec(ExecCredentials),
    Oidc(OidcCredentials),
}

impl CredentialSource {
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, ConfigError> {
        Ok(match credentials {
            Credentials::None => Self::Fixed(None),
            Credentials::Token(token) => Self::Fixed(Some(bearer_of("token", token)?)),
            Credentials::Basic { username, password } => Self::Fixed(Some(basic(username, password)?)),
            Credentials::TokenFile { path, fallback } => Self::File(TokenFile {
                path: path.clone(),
                fallback: fallback.as_ref().map(|token| bearer_of("token", token)).transpose()?,
                known: Mutex::default(),
            }),
            Credentials::Exec(exec) => Self::Exec(exec.clone()),
            Credentials::Oidc(oidc) => Self::Oidc(oidc.clone()),
        })
    }

    /// The credentials to send now. Cancel safe.
    pub(crate) async fn get(&self) -> Result<Credential, CredentialError> {
        match self {
            Self::Fixed(header) => Ok(header.clone().into()),
            Self::File(file) => Ok(Some(file.get().await?).into()),
            Self::Exec(exec) => exec.get().await,
            Self::Oidc(oidc) => oidc.get().await,
        }
    }

    /// True where other credentials may come of it when the server answers 401.
    pub(crate) fn can_be_renewed(&self) -> bool {
        match self {
            // Like client-go, an issuer is asked again only when a token expires.
            Self::Fixed(_) | Self::Oidc(_) => false,
            Self::File(_) | Self::Exec(_) => true,
        }
    }

    /// Tells that the server answered 401 to `rejected`.
    pub(crate) async fn reject(&self, rejected: &Credential) {
        match self {
            Self::Fixed(_) | Self::Oidc(_) => {}
            Self::File(file) => file.reject(rejected).await,
            Self::Exec(exec) => exec.reject(rejected).await,
        }
    }
}

impl From<Option<HeaderValue>> for Credential {
    fn from(authorization: Option<HeaderValue>) -> Self {
        Self {
            authorization,
            identity: None,
        }
    }
}

/// A token in a file that somebody rotates, such as a pod's service account token.
pub(crate) struct TokenFile {
    path: PathBuf,
    fallback: Option<HeaderValue>,
    known: Mutex<Option<Known>>,
}

struct Known {
    header: HeaderValue,
    /// `None` asks for the file to be read again at once.
    read_at: Option<Instant>,
}

impl TokenFile {
    async fn get(&self) -> Result<HeaderValue, CredentialError> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known
            && known.read_at.is_some_and(|at| at.elapsed() < REREAD_AFTER)
        {
            return Ok(known.header.clone());
        }
        match read_token(&self.path).await {
            Ok(header) => {
                *known = Some(Known {
                    header: header.clone(),
                    read_at: Some(Instant::now()),
                });
                Ok(header)
            }
            // As client-go does: the last token known may still be good.
            Err(error) => match known.as_ref().map(|known| &known.header).or(self.fallback.as_ref()) {
                Some(header) => {
                    tracing::warn!(%error, "using the last known token");
                    Ok(header.clone())
                }
                None => Err(error),
            },
        }
    }

    async fn reject(&self, rejected: &Credential) {
        let mut known = self.known.lock().await;
        if let Some(known) = &mut *known
            && rejected.authorization.as_ref() == Some(&known.header)
        {
            known.read_at = None;
        }
    }
}

async fn read_token(path: &Path) -> Result<HeaderValue, CredentialError> {
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|source| CredentialError::ReadToken {
            path: path.to_owned(),
            source,
        })?;
    let invalid = |reason| CredentialError::InvalidToken {
        path: path.to_owned(),
        reason,
    };
    match text.trim() {
        "" => Err(invalid("is empty")),
        token => bearer(token).ok_or_else(|| invalid("holds characters that a token cannot have")),
    }
}

/// The header for a bearer token, or `None` where the token cannot stand in a header.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {token}"))
}

fn bearer_of(field: &'static str, token: &Secret) -> Result<HeaderValue, ConfigError> {
    bearer(token.expose()).ok_or_else(|| ConfigError::invalid(field, None, "holds characters that a token cannot have"))
}

pub(super) fn basic(username: &str, password: &Secret) -> Result<HeaderValue, ConfigError> {
    let encoded = STANDARD.encode(format!("{username}:{}", password.expose()));
    sensitive(&format!("Basic {encoded}")).ok_or_else(|| ConfigError::invalid("username", None, "cannot be sent"))
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(value).ok()?;
    header.set_sensitive(true);
    Some(header)
}
