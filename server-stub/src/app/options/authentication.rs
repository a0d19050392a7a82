//! Who is let in, and how.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::parse_bool;
use super::secure_serving::read;
use crate::app::AppError;
use crate::authentication::{
    Authenticator, BearerTokens, ClientCertificates, RequestHeader, RequestHeaderConfig, UnionAuthenticator,
    read_token_file,
};
use crate::generic::certificates::Authority;
use crate::generic::clock::Clock;
use crate::generic::request::UserInfo;

/// Client certificates and tokens.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Authentication")]
#[non_exhaustive]
pub struct AuthenticationOptions {
    /// Certificate authorities (PEM) whose certificates name a user by common name and groups by organizations.
    #[arg(long)]
    pub client_ca_file: Option<PathBuf>,
    /// CSV file of tokens: token,user,uid,"group1,group2".
    #[arg(long)]
    pub token_auth_file: Option<PathBuf>,
    /// Whether requests without credentials are those of system:anonymous.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_parser = parse_bool)]
    pub anonymous_auth: Option<bool>,
    /// Tokens beside those of the file.
    #[arg(skip)]
    pub tokens: Vec<(String, UserInfo)>,
}

impl AuthenticationOptions {
    /// The authorities whose certificates stand for users.
    pub(crate) fn client_ca_pem(&self, authority: &Authority) -> Result<String, AppError> {
        match &self.client_ca_file {
            Some(path) => read(path),
            None => Ok(authority.certificate_pem().to_owned()),
        }
    }

    /// The authenticator for these options; it also knows the clients of `authority`, and proxies that know the user.
    pub(crate) fn authenticator(
        &self,
        authority: &Authority,
        request_header: &Arc<RequestHeaderConfig>,
        clock: &Clock,
    ) -> Result<Arc<dyn Authenticator>, AppError> {
        let own = ClientCertificates::new(authority.certificate_pem().as_bytes(), clock.clone())?;
        let proxies = RequestHeader::new(request_header.clone(), clock.clone())?;
        let mut authenticators: Vec<Arc<dyn Authenticator>> = vec![Arc::new(proxies), Arc::new(own)];
        if let Some(path) = &self.client_ca_file {
            let certificates = ClientCertificates::new(read(path)?.as_bytes(), clock.clone())?;
            authenticators.push(Arc::new(certificates));
        }
        let mut tokens = BearerTokens::default();
        tokens.extend(self.tokens.iter().cloned());
        if let Some(path) = &self.token_auth_file {
            tokens.extend(read_token_file(path)?);
        }
        authenticators.push(Arc::new(tokens));
        Ok(Arc::new(UnionAuthenticator(authenticators)))
    }
}
