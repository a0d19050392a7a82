//! Proxies that say who the user is: those in front of this server, and this server in front of others.

use std::path::PathBuf;

use clap::Args;

use super::secure_serving::read;
use crate::app::AppError;
use crate::authentication::RequestHeaderConfig;
use crate::generic::certificates::{Authority, KeyPair};

/// The name in the certificate that this server makes for itself.
const OWN_NAME: &str = "front-proxy-client";

/// Whom to believe what it says about users, and how to be believed.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Authentication")]
#[non_exhaustive]
pub struct RequestHeaderOptions {
    /// Authorities (PEM) of the proxies that may say in headers who the user is. Default: the server's own authority,
    /// for the certificate by which it is known to extension API servers.
    #[arg(long)]
    pub requestheader_client_ca_file: Option<PathBuf>,
    /// Common names that these proxies may have; empty for any.
    #[arg(long, value_delimiter = ',')]
    pub requestheader_allowed_names: Vec<String>,
    /// Headers with the user's name. Default: X-Remote-User.
    #[arg(long, value_delimiter = ',')]
    pub requestheader_username_headers: Vec<String>,
    /// Headers with the user's uid. Default: X-Remote-Uid.
    #[arg(long, value_delimiter = ',')]
    pub requestheader_uid_headers: Vec<String>,
    /// Headers with the user's groups. Default: X-Remote-Group.
    #[arg(long, value_delimiter = ',')]
    pub requestheader_group_headers: Vec<String>,
    /// What headers with more about the user begin with. Default: X-Remote-Extra-.
    #[arg(long, value_delimiter = ',')]
    pub requestheader_extra_headers_prefix: Vec<String>,
    /// Client certificate (PEM) that this server shows to extension API servers. Default: one that it makes.
    #[arg(long, requires = "proxy_client_key_file")]
    pub proxy_client_cert_file: Option<PathBuf>,
    /// Key of --proxy-client-cert-file (PEM).
    #[arg(long, requires = "proxy_client_cert_file")]
    pub proxy_client_key_file: Option<PathBuf>,
}

impl RequestHeaderOptions {
    /// Which proxies are believed.
    pub(crate) fn config(&self, authority: &Authority) -> Result<RequestHeaderConfig, AppError> {
        let mut config = match &self.requestheader_client_ca_file {
            Some(path) => RequestHeaderConfig::new(read(path)?),
            None => RequestHeaderConfig::new(authority.certificate_pem()),
        };
        config.allowed_names = self.requestheader_allowed_names.clone();
        if self.requestheader_client_ca_file.is_none() && config.allowed_names.is_empty() {
            config.allowed_names = vec![OWN_NAME.to_owned()];
        }
        let given = [
            (&self.requestheader_username_headers, &mut config.username_headers),
            (&self.requestheader_uid_headers, &mut config.uid_headers),
            (&self.requestheader_group_headers, &mut config.group_headers),
            (
                &self.requestheader_extra_headers_prefix,
                &mut config.extra_headers_prefixes,
            ),
        ];
        for (given, names) in given.into_iter().filter(|(given, _)| !given.is_empty()) {
            names.clone_from(given);
        }
        Ok(config)
    }

    /// What this server shows to extension API servers.
    pub(crate) fn identity(&self, authority: &Authority) -> Result<KeyPair, AppError> {
        match (&self.proxy_client_cert_file, &self.proxy_client_key_file) {
            (Some(certificate), Some(key)) => Ok(KeyPair {
                certificate_pem: read(certificate)?,
                key_pem: read(key)?,
            }),
            _ => Ok(authority.client(OWN_NAME, None)?),
        }
    }
}
