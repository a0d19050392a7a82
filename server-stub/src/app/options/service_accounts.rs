//! Tokens of service accounts: who issues them, and with which keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::secure_serving::{SecureServingOptions, read, write};
use crate::app::AppError;
use crate::app::flags::{NamedFlagSets, StringArray};
use crate::authentication::{ServiceAccountTokens, TokenConfig};
use crate::generic::Config;

/// The issuer of a server that was given no other.
const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc";
const HOUR: Duration = Duration::from_secs(60 * 60);
const LONGEST: Duration = Duration::from_secs(1 << 32);

/// Tokens of service accounts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceAccountOptions {
    /// Issuers: new tokens name the first, those of the others are accepted, too. Default
    /// `https://kubernetes.default.svc`.
    pub issuer: StringArray,
    /// Files of keys (PEM, or a certificate) that tokens are checked with. Default: the signing key.
    pub key_file: StringArray,
    /// File of the key (PEM) that signs tokens. Default: `sa.key` in the folder of certificates, which is made if it is
    /// not there; without such a folder a key that lives as long as the server.
    pub signing_key_file: Option<PathBuf>,
    /// Where the keys are published, if not on this server.
    pub jwks_uri: String,
    /// The longest life of a token; 0 for no such bound.
    pub max_token_expiration: Duration,
    /// Whether pods' tokens live for a year so that programs which do not read them again go on. Default yes.
    pub extend_token_expiration: bool,
    /// What this server is called in tokens that are meant for it. Default: the first issuer.
    pub api_audiences: Vec<String>,
}

impl Default for ServiceAccountOptions {
    fn default() -> Self {
        Self {
            issuer: StringArray::default(),
            key_file: StringArray::default(),
            signing_key_file: None,
            jwks_uri: String::new(),
            max_token_expiration: Duration::ZERO,
            extend_token_expiration: true,
            api_audiences: Vec::new(),
        }
    }
}

impl ServiceAccountOptions {
    pub(super) fn add_flags<'a>(&'a mut self, all: &mut NamedFlagSets<'a>) {
        let flags = all.group("authentication");
        flags.add(
            "service-account-issuer",
            &mut self.issuer,
            "Issuers of service account tokens: new tokens name the first, those of the others are accepted, too. \
             https://kubernetes.default.svc if none is given.",
        );
        flags.add(
            "service-account-key-file",
            &mut self.key_file,
            "Files of keys (PEM, or a certificate) that service account tokens are checked with. The key that signs them if \
             none is given.",
        );
        flags.add(
            "service-account-jwks-uri",
            &mut self.jwks_uri,
            "Where the keys of the issuer are published, if not on this server.",
        );
        flags.add(
            "service-account-max-token-expiration",
            &mut self.max_token_expiration,
            "The longest life of a service account token.",
        );
        flags.add(
            "service-account-extend-token-expiration",
            &mut self.extend_token_expiration,
            "Whether tokens of pods live for a year so that programs which do not read them again go on.",
        );
        flags.add(
            "api-audiences",
            &mut self.api_audiences,
            "What this server is called in tokens that are meant for it. The first issuer if none is given.",
        );
        all.group("misc").add(
            "service-account-signing-key-file",
            &mut self.signing_key_file,
            "File of the key (PEM) that signs service account tokens. Without it a key is made, in the folder of \
             certificates if there is one.",
        );
    }

    pub(super) fn complete(&mut self) {
        if self.issuer.0.is_empty() {
            self.issuer.0.push(DEFAULT_ISSUER.to_owned());
        }
        if self.api_audiences.is_empty() {
            self.api_audiences.extend(self.issuer.0.first().cloned());
        }
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        let mut readable = |flag: &str, path: &Path| {
            if let Err(error) = std::fs::File::open(path) {
                errors.push(format!("--{flag}: open {}: {error}", path.display()));
            }
        };
        for path in &self.key_file.0 {
            readable("service-account-key-file", path.as_ref());
        }
        if let Some(path) = &self.signing_key_file {
            readable("service-account-signing-key-file", path);
        }
        let issuers = &self.issuer.0;
        for (index, issuer) in issuers.iter().enumerate() {
            if issuer.is_empty() {
                errors.push("service-account-issuer should not be an empty string".to_owned());
            } else if issuer.contains(':') && issuer.parse::<http::Uri>().is_err() {
                errors.push(format!(
                    "service-account-issuer {issuer:?} contained a ':' but was not a valid URL"
                ));
            }
            if issuers[..index].contains(issuer) {
                errors.push(format!("service-account-issuer {issuer:?} is already specified"));
            }
        }
        if !self.max_token_expiration.is_zero() && !(HOUR..=LONGEST).contains(&self.max_token_expiration) {
            let text = "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds";
            errors.push(text.to_owned());
        }
        if !self.jwks_uri.is_empty() && !self.jwks_uri.starts_with("https://") {
            errors.push(format!(
                "service-account-jwks-uri requires https scheme, parsed as: {}",
                self.jwks_uri
            ));
        }
    }

    /// What issues and knows the tokens.
    pub(crate) fn tokens(
        &self,
        serving: &SecureServingOptions,
        config: &Config,
    ) -> Result<Arc<ServiceAccountTokens>, AppError> {
        let longest = i64::try_from(self.max_token_expiration.as_secs()).unwrap_or(i64::MAX);
        let token_config = TokenConfig {
            issuers: self.issuer.0.clone(),
            api_audiences: self.api_audiences.clone(),
            max_expiration: Some(longest).filter(|longest| *longest > 0),
            extend_expiration: self.extend_token_expiration,
        };
        let signing = self.signing_key(serving)?;
        let public = self
            .key_file
            .0
            .iter()
            .map(|path| read(path.as_ref()).map(String::into_bytes));
        let public = public.collect::<Result<Vec<_>, _>>()?;
        let clock_and_ids = (config.clock.clone(), config.ids.clone());
        let signing = signing.as_deref().map(str::as_bytes);
        Ok(Arc::new(ServiceAccountTokens::new(
            token_config,
            signing,
            &public,
            clock_and_ids,
        )?))
    }

    /// The key in its file; tokens count after a restart, too, where there is a folder to keep one.
    fn signing_key(&self, serving: &SecureServingOptions) -> Result<Option<String>, AppError> {
        if let Some(path) = &self.signing_key_file {
            return read(path).map(Some);
        }
        let Some(path) = serving.cert_dir.as_ref().map(|dir| dir.join("sa.key")) else {
            return Ok(None);
        };
        if !path.exists() {
            write(&path, &ServiceAccountTokens::new_key()?, true)?;
        }
        read(&path).map(Some)
    }

    /// Where the keys are published, if not on this server.
    pub(crate) fn jwks_uri(&self) -> Option<String> {
        Some(self.jwks_uri.clone()).filter(|uri| !uri.is_empty())
    }
}
