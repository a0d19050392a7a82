//! Everybody on a connection without TLS is an administrator, whatever credentials are shown.

use async_trait::async_trait;
use http::HeaderMap;

use super::{AuthenticationError, Authenticator, Connection};
use crate::generic::request::UserInfo;

/// Knows who comes without TLS. Such connections are from the same machine.
pub struct InsecureSuperuser;

#[async_trait]
impl Authenticator for InsecureSuperuser {
    async fn authenticate(
        &self,
        _: &HeaderMap,
        connection: Option<&Connection>,
    ) -> Result<Option<UserInfo>, AuthenticationError> {
        let insecure = connection.is_some_and(|connection| connection.insecure);
        Ok(insecure.then(UserInfo::unsecured))
    }
}
