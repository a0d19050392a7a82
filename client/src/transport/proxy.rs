//! Which proxy leads to the server.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::unbracketed;
use crate::config::server::has_port_number;
use crate::config::{Config, ConfigError};

/// The proxy of the configuration, or the one that the environment names.
pub(super) fn proxy(config: &Config, server: &Uri) -> Result<Option<Intercept>, ConfigError> {
    match &config.proxy {
        Some(url) => configured(url.expose(), server).map(Some),
        None if is_loopback(server.host().unwrap_or_default()) => Ok(None),
        None => from_environment(&Matcher::from_env(), server),
    }
}

/// Messages leave the URL out: it may hold a password.
fn configured(url: &str, server: &Uri) -> Result<Intercept, ConfigError> {
    let invalid = |reason: &str| ConfigError::invalid("proxy-url", None, reason);
    let parsed: Option<Uri> = url.parse().ok().filter(has_port_number);
    let parsed = parsed.ok_or_else(|| invalid("is not a URL"))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https" | "socks5" | "socks5h")) {
        return Err(invalid("must be an http, https or socks5 URL"));
    }
    let proxy = Matcher::builder().all(url).build().intercept(server);
    proxy.ok_or_else(|| invalid("cannot be used"))
}

fn from_environment(environment: &Matcher, server: &Uri) -> Result<Option<Intercept>, ConfigError> {
    let Some(proxy) = environment.intercept(server) else {
        return Ok(None);
    };
    let invalid = |reason: &str| ConfigError::invalid("HTTP_PROXY, HTTPS_PROXY or ALL_PROXY", None, reason);
    match proxy.uri().scheme_str() {
        Some("socks4" | "socks4a") => Err(invalid("must be an http, https or socks5 URL")),
        _ => Ok(Some(proxy)),
    }
}

pub(super) fn is_socks(proxy: &Uri) -> bool {
    matches!(proxy.scheme_str(), Some("socks5" | "socks5h"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || unbracketed(host).parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn a_configured_proxy_has_credentials() {
        let server = url("https://10.0.0.1");
        let http = configured("http://me:p%40ss@proxy:8080/path", &server).unwrap();
        assert_eq!(http.uri(), "http://proxy:8080/");
        assert_eq!(http.basic_auth().unwrap(), "Basic bWU6cEBzcw==");
        let socks = configured("socks5://me:p%40ss@proxy", &server).unwrap();
        assert_eq!(socks.uri(), "socks5://proxy/");
        assert_eq!(socks.raw_auth(), Some(("me", "p@ss")));
        for wrong in ["ftp://proxy", "proxy:8080", "http://proxy:port", "://", "http://"] {
            assert!(configured(wrong, &server).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_environment_names_proxies_and_exceptions() {
        let environment = Matcher::builder()
            .http("http://plain:1")
            .https("https://secret:2")
            .no("10.1.0.0/16, .inside, exact.example")
            .build();
        let proxy = |server: &str| {
            let proxy = from_environment(&environment, &url(server)).unwrap();
            proxy.map(|proxy| proxy.uri().to_string())
        };
        assert_eq!(proxy("http://10.0.0.1").unwrap(), "http://plain:1/");
        assert_eq!(proxy("https://10.0.0.1").unwrap(), "https://secret:2/");
        for direct in ["https://10.1.2.3:6443", "https://a.inside", "https://exact.example"] {
            assert_eq!(proxy(direct), None, "{direct}");
        }
        let socks4 = Matcher::builder().all("socks4://old:1080").build();
        assert!(from_environment(&socks4, &url("https://h")).is_err());
    }

    #[test]
    fn a_server_on_this_machine_needs_no_proxy() {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        assert!(!is_loopback("localhost.example"));
    }
}
