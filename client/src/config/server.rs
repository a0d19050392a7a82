//! The server's URL.

use http::Uri;
use http::uri::PathAndQuery;

use super::{Config, ConfigError};

impl Config {
    /// The base URL: scheme, host, port, and a path without a trailing slash.
    pub(crate) fn base_url(&self) -> Result<Uri, ConfigError> {
        let text = if self.server.contains("://") {
            self.server.clone()
        } else {
            let scheme = if self.tls.is_set() { "https" } else { "http" };
            format!("{scheme}://{}", self.server)
        };
        base_url(&text).map_err(|reason| ConfigError::invalid("server", None, reason))
    }
}

/// Reasons leave the URL out: it may hold a password.
fn base_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("is not a URL: {error}"))?;
    if !has_port_number(&url) {
        return Err("is not a URL: invalid port number".to_owned());
    }
    let mut parts = url.into_parts();
    if !matches!(
        parts.scheme.as_ref().map(|scheme| scheme.as_str()),
        Some("http" | "https")
    ) {
        return Err("must be an http or https URL".to_owned());
    }
    let authority = parts.authority.as_ref().map(|authority| authority.as_str());
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err("must not hold a user name or password".to_owned());
    }
    let path = parts.path_and_query.as_ref().map_or("", |path| path.path());
    let path = match path.trim_end_matches('/') {
        "" => PathAndQuery::from_static("/"),
        path => path.parse().map_err(|error| format!("is not a URL: {error}"))?,
    };
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|error| format!("is not a URL: {error}"))
}

/// True unless what stands in the place of the port is none.
pub(crate) fn has_port_number(url: &Uri) -> bool {
    let Some(authority) = url.authority() else { return true };
    let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = host_and_port.strip_prefix(authority.host()).unwrap_or_default();
    matches!(port, "" | ":") || authority.port_u16().is_some()
}
