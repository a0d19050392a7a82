//! `Authorization: Bearer …` with tokens that do not change.

use std::collections::HashMap;

use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{AuthenticationError, Authenticator, Connection};
use crate::generic::request::UserInfo;

/// Known tokens and their users.
#[derive(Default)]
pub struct BearerTokens(HashMap<String, UserInfo>);

impl BearerTokens {
    /// Lets `user` in with this token.
    pub fn insert(&mut self, token: impl Into<String>, user: UserInfo) {
        self.0.insert(token.into(), user);
    }
}

impl Extend<(String, UserInfo)> for BearerTokens {
    fn extend<I: IntoIterator<Item = (String, UserInfo)>>(&mut self, tokens: I) {
        self.0.extend(tokens);
    }
}

#[async_trait]
impl Authenticator for BearerTokens {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        _: Option<&Connection>,
    ) -> Result<Option<UserInfo>, AuthenticationError> {
        let Some(token) = bearer_token(headers) else {
            return Ok(None);
        };
        match self.0.get(token) {
            Some(user) => Ok(Some(user.clone())),
            None => Err(AuthenticationError("invalid bearer token".to_owned())),
        }
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
