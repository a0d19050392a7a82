//! Who is let in, and how.

use std::path::PathBuf;
use std::sync::Arc;

use super::AuthorizationOptions;
use super::secure_serving::read;
use super::service_accounts::ServiceAccountOptions;
use crate::app::AppError;
use crate::app::flags::NamedFlagSets;
use crate::authentication::{
    Authenticator, BearerTokens, ClientCertificates, RequestHeader, RequestHeaderConfig, ServiceAccountTokens,
    UnionAuthenticator, read_token_file,
};
use crate::generic::Config;
use crate::generic::certificates::Authority;
use crate::generic::clock::Clock;
use crate::generic::request::UserInfo;

/// Client certificates and tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthenticationOptions {
    /// Whether requests without credentials are those of `system:anonymous`. Default yes.
    pub anonymous_auth: bool,
    /// Certificate authorities (PEM) whose certificates name a user by common name and groups by organizations.
    pub client_ca_file: Option<PathBuf>,
    /// CSV file of tokens: token,user,uid,"group1,group2".
    pub token_auth_file: Option<PathBuf>,
    /// Tokens of service accounts.
    pub service_accounts: ServiceAccountOptions,
    /// Tokens beside those of the file.
    pub tokens: Vec<(String, UserInfo)>,
}

impl Default for AuthenticationOptions {
    fn default() -> Self {
        Self {
            anonymous_auth: true,
            client_ca_file: None,
            token_auth_file: None,
            service_accounts: ServiceAccountOptions::default(),
            tokens: Vec::new(),
        }
    }
}

impl AuthenticationOptions {
    pub(super) fn add_flags<'a>(&'a mut self, all: &mut NamedFlagSets<'a>) {
        let flags = all.group("authentication");
        flags.add(
            "anonymous-auth",
            &mut self.anonymous_auth,
            "Whether requests without credentials are those of system:anonymous; if not, they get 401.",
        );
        flags.add(
            "client-ca-file",
            &mut self.client_ca_file,
            "Certificate authorities (PEM) whose certificates name a user by common name and groups by organizations; \
             read again when it changes.",
        );
        flags.add(
            "token-auth-file",
            &mut self.token_auth_file,
            "CSV file of tokens: token,user,uid,\"group1,group2\".",
        );
        self.service_accounts.add_flags(all);
    }

    /// Who is let in anyway has to say who it is: with AlwaysAllow nobody is anonymous.
    pub(super) fn complete(&mut self, authorization: &AuthorizationOptions) {
        self.service_accounts.complete();
        let allows_all = authorization
            .authorization_mode
            .iter()
            .any(|mode| mode == "AlwaysAllow");
        if self.anonymous_auth && allows_all {
            tracing::warn!("--anonymous-auth is off: it is not allowed with the authorizer AlwaysAllow");
            self.anonymous_auth = false;
        }
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        self.service_accounts.validate(errors);
    }

    pub(crate) fn apply_to(
        &self,
        config: &mut Config,
        authority: &Authority,
        request_header: &Arc<RequestHeaderConfig>,
        tokens: Arc<BearerTokens>,
    ) -> Result<(), AppError> {
        config.anonymous = self.anonymous_auth;
        config.authenticator = self.authenticator(authority, request_header, tokens, &config.clock)?;
        Ok(())
    }

    /// The authorities whose certificates stand for users.
    pub(crate) fn client_ca_pem(&self, authority: &Authority) -> Result<String, AppError> {
        match &self.client_ca_file {
            Some(path) => read(path),
            None => Ok(authority.certificate_pem().to_owned()),
        }
    }

    /// The tokens that do not change, and those of service accounts.
    pub(crate) fn bearer_tokens(&self, service_accounts: Arc<ServiceAccountTokens>) -> Result<BearerTokens, AppError> {
        let mut tokens = BearerTokens::default().with_service_accounts(service_accounts);
        tokens.extend(self.tokens.iter().cloned());
        if let Some(path) = &self.token_auth_file {
            tokens.extend(read_token_file(path)?);
        }
        Ok(tokens)
    }

    /// The authenticator for these options; it also knows the clients of `authority`, and proxies that know the user.
    fn authenticator(
        &self,
        authority: &Authority,
        request_header: &Arc<RequestHeaderConfig>,
        tokens: Arc<BearerTokens>,
        clock: &Clock,
    ) -> Result<Arc<dyn Authenticator>, AppError> {
        let own = ClientCertificates::new(authority.certificate_pem().as_bytes(), clock.clone())?;
        let proxies = RequestHeader::new(request_header.clone(), clock.clone())?;
        let mut authenticators: Vec<Arc<dyn Authenticator>> = vec![Arc::new(proxies), Arc::new(own)];
        if let Some(path) = &self.client_ca_file {
            authenticators.push(Arc::new(ClientCertificates::from_file(path, clock.clone())?));
        }
        authenticators.push(tokens);
        Ok(Arc::new(UnionAuthenticator(authenticators)))
    }
}
