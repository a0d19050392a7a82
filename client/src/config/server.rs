//! The server's URL.

use std::net::IpAddr;

use reqwest::Url;

use super::{Config, ConfigError};

impl Config {
    /// The base URL: scheme, host, port, and a path without a trailing slash.
    pub(crate) fn base_url(&self) -> Result<Url, ConfigError> {
        let invalid = |reason: &str| ConfigError::invalid("server", None, reason);
        let text = if self.server.contains("://") {
            self.server.clone()
        } else {
            let scheme = if self.tls.is_set() { "https" } else { "http" };
            format!("{scheme}://{}", self.server)
        };
        // Messages leave the URL out: it may hold a password.
        let mut url = Url::parse(&text).map_err(|error| invalid(&format!("is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("must be an http or https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must not hold a user name or password"));
        }
        url.set_query(None);
        url.set_fragment(None);
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    /// The name of the certificate, where it stands in for the URL's host. An address needs no place in the URL, since
    /// no SNI is sent for it, and a proxy must be told the true host.
    pub(crate) fn host_alias(&self) -> Option<&str> {
        let name = self.tls.server_name.as_deref()?;
        (self.proxy.is_none() && name.parse::<IpAddr>().is_err()).then_some(name)
    }
}
