//! Proxies that say who the user is: those in front of this server, and this server in front of others.

use std::path::PathBuf;

use super::secure_serving::read;
use crate::app::AppError;
use crate::app::flags::NamedFlagSets;
use crate::authentication::RequestHeaderConfig;
use crate::generic::certificates::{Authority, KeyPair};
use crate::generic::dynamic_files::DynamicFiles;
use crate::proxy::{ProxyTls, Trust};

/// The name in the certificate that this server makes for itself.
const OWN_NAME: &str = "front-proxy-client";

/// Whom to believe what it says about users, and how to be believed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RequestHeaderOptions {
    /// Authorities (PEM) of the proxies that may say in headers who the user is. Default: the server's own authority,
    /// for the certificate by which it is known to extension API servers.
    pub requestheader_client_ca_file: Option<PathBuf>,
    /// Common names that these proxies may have; empty for any.
    pub requestheader_allowed_names: Vec<String>,
    /// Headers with the user's name. Default: X-Remote-User.
    pub requestheader_username_headers: Vec<String>,
    /// Headers with the user's uid. Default: X-Remote-Uid.
    pub requestheader_uid_headers: Vec<String>,
    /// Headers with the user's groups. Default: X-Remote-Group.
    pub requestheader_group_headers: Vec<String>,
    /// What headers with more about the user begin with. Default: X-Remote-Extra-.
    pub requestheader_extra_headers_prefix: Vec<String>,
    /// Client certificate (PEM) that this server shows to extension API servers. Default: one that it makes.
    pub proxy_client_cert_file: Option<PathBuf>,
    /// Key of --proxy-client-cert-file (PEM).
    pub proxy_client_key_file: Option<PathBuf>,
}

impl RequestHeaderOptions {
    pub(super) fn add_flags<'a>(&'a mut self, all: &mut NamedFlagSets<'a>) {
        let flags = all.group("authentication");
        flags.add(
            "requestheader-client-ca-file",
            &mut self.requestheader_client_ca_file,
            "Authorities (PEM) of the proxies that may say in headers who the user is. Without it: the server's own, for itself.",
        );
        flags.add(
            "requestheader-allowed-names",
            &mut self.requestheader_allowed_names,
            "Common names that these proxies may have. Without it: any.",
        );
        flags.add(
            "requestheader-username-headers",
            &mut self.requestheader_username_headers,
            "Headers with the user's name. Without it: X-Remote-User.",
        );
        flags.add(
            "requestheader-uid-headers",
            &mut self.requestheader_uid_headers,
            "Headers with the user's uid. Without it: none, or X-Remote-Uid for the server's own proxy.",
        );
        flags.add(
            "requestheader-group-headers",
            &mut self.requestheader_group_headers,
            "Headers with the user's groups. Without it: X-Remote-Group.",
        );
        flags.add(
            "requestheader-extra-headers-prefix",
            &mut self.requestheader_extra_headers_prefix,
            "What headers with more about the user begin with. Without it: X-Remote-Extra-.",
        );
        let flags = all.group("misc");
        flags.add(
            "proxy-client-cert-file",
            &mut self.proxy_client_cert_file,
            "Client certificate (PEM) that this server shows to extension API servers. Without it: one that it makes.",
        );
        flags.add(
            "proxy-client-key-file",
            &mut self.proxy_client_key_file,
            "Key of --proxy-client-cert-file (PEM).",
        );
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        if self.proxy_client_cert_file.is_some() != self.proxy_client_key_file.is_some() {
            errors.push("--proxy-client-cert-file and --proxy-client-key-file must be given together".to_owned());
        }
        for (flag, names) in [
            ("requestheader-username-headers", &self.requestheader_username_headers),
            ("requestheader-group-headers", &self.requestheader_group_headers),
            (
                "requestheader-extra-headers-prefix",
                &self.requestheader_extra_headers_prefix,
            ),
            ("requestheader-allowed-names", &self.requestheader_allowed_names),
        ] {
            if names.iter().any(|name| name.trim().is_empty()) {
                errors.push(format!("empty value in {flag:?}"));
            }
        }
    }

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
        if self.requestheader_client_ca_file.is_some() {
            // Other proxies say this only where they are meant to.
            config.uid_headers.clear();
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

    /// What this server shows to extension API servers; read again when the files change.
    pub(crate) fn identity(&self, authority: &Authority) -> Result<DynamicFiles<KeyPair>, AppError> {
        let (Some(certificate), Some(key)) = (&self.proxy_client_cert_file, &self.proxy_client_key_file) else {
            return Ok(DynamicFiles::fixed(authority.client(OWN_NAME, None)?));
        };
        let files = vec![certificate.clone(), key.clone()];
        Ok(DynamicFiles::new(files, |contents| {
            let [certificate, key] = contents else {
                return Err("two files are needed".into());
            };
            let pair = KeyPair {
                certificate_pem: String::from_utf8(certificate.clone())?,
                key_pem: String::from_utf8(key.clone())?,
            };
            // Files of which only one has been written yet do not fit together.
            ProxyTls::new(&Trust::Anybody, Some(&pair))?;
            Ok(pair)
        })?)
    }
}
