//! `Authorization: Bearer …`: tokens that do not change, and those of service accounts.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::service_account::ServiceAccountTokens;
use super::{AuthenticationError, Authenticator, Connection};
use crate::generic::request::UserInfo;

/// The error for a token that nobody knows.
pub(super) const INVALID: &str = "invalid bearer token";

/// Known tokens and their users.
#[derive(Default)]
pub struct BearerTokens {
    fixed: HashMap<String, UserInfo>,
    service_accounts: Option<Arc<ServiceAccountTokens>>,
}

impl BearerTokens {
    /// Lets `user` in with this token.
    pub fn insert(&mut self, token: impl Into<String>, user: UserInfo) {
        self.fixed.insert(token.into(), user);
    }

    /// Lets service accounts in.
    pub fn with_service_accounts(mut self, tokens: Arc<ServiceAccountTokens>) -> Self {
        self.service_accounts = Some(tokens);
        self
    }

    /// What this server is called by those who issue tokens for it.
    pub(crate) fn api_audiences(&self) -> &[String] {
        let tokens = self.service_accounts.as_ref();
        tokens
            .map(|tokens| tokens.config().api_audiences.as_slice())
            .unwrap_or_default()
    }

    /// Whose token it is, and those of the wanted audiences that it is for. Tokens that do not change are for this server.
    pub(crate) async fn user(
        &self,
        token: &str,
        wanted: &[String],
    ) -> Result<(UserInfo, Vec<String>), AuthenticationError> {
        if let Some(user) = self.fixed.get(token) {
            let own = self.api_audiences();
            let audiences: Vec<String> = wanted.iter().filter(|wanted| own.contains(wanted)).cloned().collect();
            if !audiences.is_empty() || wanted.is_empty() {
                return Ok((user.clone(), audiences));
            }
        }
        let found = match &self.service_accounts {
            Some(tokens) => tokens.authenticate(token, wanted).await?,
            None => None,
        };
        found.ok_or_else(|| AuthenticationError(INVALID.to_owned()))
    }
}

impl Extend<(String, UserInfo)> for BearerTokens {
    fn extend<I: IntoIterator<Item = (String, UserInfo)>>(&mut self, tokens: I) {
        self.fixed.extend(tokens);
    }
}

#[async_trait]
impl Authenticator for BearerTokens {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        _: Option<&Connection>,
    ) -> Result<Option<UserInfo>, AuthenticationError> {
        match bearer_token(headers) {
            Some(token) => Ok(Some(self.user(token, self.api_audiences()).await?.0)),
            None => Ok(None),
        }
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
