//! Who sends a request: client certificates and bearer tokens, those of service accounts among them.

mod bearer;
mod connection;
mod insecure;
mod request_header;
pub(crate) mod reviews;
pub(crate) mod service_account;
mod token_file;
mod x509;

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;

pub use bearer::BearerTokens;
pub use connection::Connection;
pub use insecure::InsecureSuperuser;
pub use request_header::{RequestHeader, RequestHeaderConfig};
pub(crate) use reviews::user_info;
pub use service_account::{KeyError, ServiceAccountTokens, TokenConfig};
pub use token_file::{TokenFileError, read_token_file};
pub use x509::{ClientCaError, ClientCertificates};

use crate::generic::request::UserInfo;

/// Where a user's `extra` tells which credentials were shown.
pub(crate) const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// Credentials that are there but wrong. The text goes to the log, never to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthenticationError(pub String);

/// One way to find out who sends a request.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The user; `None` without credentials of this kind.
    ///
    /// # Errors
    /// The credentials are of this kind and wrong.
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        connection: Option<&Connection>,
    ) -> Result<Option<UserInfo>, AuthenticationError>;
}

/// Asks several authenticators in turn: the first that knows the user decides, the errors count if none does.
///
/// Everybody known is in the group `system:authenticated`.
#[derive(Default)]
pub struct UnionAuthenticator(pub Vec<Arc<dyn Authenticator>>);

#[async_trait]
impl Authenticator for UnionAuthenticator {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        connection: Option<&Connection>,
    ) -> Result<Option<UserInfo>, AuthenticationError> {
        let mut wrong = Vec::new();
        for authenticator in &self.0 {
            match authenticator.authenticate(headers, connection).await {
                Ok(Some(user)) => return Ok(Some(as_authenticated(user))),
                Ok(None) => {}
                Err(error) if wrong.contains(&error.0) => {}
                Err(error) => wrong.push(error.0),
            }
        }
        match wrong.as_slice() {
            [] => Ok(None),
            [one] => Err(AuthenticationError(one.clone())),
            several => Err(AuthenticationError(format!("[{}]", several.join(", ")))),
        }
    }
}

/// Everybody known is in one group.
fn as_authenticated(mut user: UserInfo) -> UserInfo {
    if !user.is_in_group("system:authenticated") {
        user.groups.push("system:authenticated".to_owned());
    }
    user
}
