//! Users that a proxy in front of this server has authenticated: it says in headers who they are.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::{AuthenticationError, Authenticator, ClientCaError, ClientCertificates, Connection};
use crate::generic::clock::Clock;
use crate::generic::request::UserInfo;

/// Which proxies are believed, and in which headers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestHeaderConfig {
    /// The authorities (PEM) that sign the proxies' client certificates.
    pub client_ca_pem: String,
    /// Common names of proxies; empty for every certificate of the authorities.
    pub allowed_names: Vec<String>,
    /// Headers with the user's name, the first that is there counts.
    pub username_headers: Vec<String>,
    /// Headers with the user's uid, the first that is there counts.
    pub uid_headers: Vec<String>,
    /// Headers with the user's groups, one each.
    pub group_headers: Vec<String>,
    /// What the names of headers with more about the user begin with.
    pub extra_headers_prefixes: Vec<String>,
}

impl RequestHeaderConfig {
    /// Believes the proxies that these authorities sign certificates for, with the usual headers.
    pub fn new(client_ca_pem: impl Into<String>) -> Self {
        let one = |name: &str| vec![name.to_owned()];
        Self {
            client_ca_pem: client_ca_pem.into(),
            allowed_names: Vec::new(),
            username_headers: one("X-Remote-User"),
            uid_headers: one("X-Remote-Uid"),
            group_headers: one("X-Remote-Group"),
            extra_headers_prefixes: one("X-Remote-Extra-"),
        }
    }
}

/// Believes a proxy that shows its client certificate.
pub struct RequestHeader {
    proxies: ClientCertificates,
    config: Arc<RequestHeaderConfig>,
}

impl RequestHeader {
    /// # Errors
    /// The proxies' authorities are not usable.
    pub fn new(config: Arc<RequestHeaderConfig>, clock: Clock) -> Result<Self, ClientCaError> {
        Ok(Self {
            proxies: ClientCertificates::new(config.client_ca_pem.as_bytes(), clock)?,
            config,
        })
    }

    fn user(&self, headers: &HeaderMap) -> Option<UserInfo> {
        let first = |names: &[String]| {
            let mut values = names.iter().flat_map(|name| texts(headers, name));
            values.find(|value| !value.is_empty()).map(str::to_owned)
        };
        let mut user = UserInfo {
            name: first(&self.config.username_headers)?,
            uid: first(&self.config.uid_headers).unwrap_or_default(),
            ..UserInfo::default()
        };
        let groups = self.config.group_headers.iter().flat_map(|name| texts(headers, name));
        user.groups = groups.map(str::to_owned).collect();
        for prefix in &self.config.extra_headers_prefixes {
            let prefix = prefix.to_ascii_lowercase();
            let names = headers
                .keys()
                .filter_map(|name| name.as_str().strip_prefix(&prefix).map(|key| (name, key)));
            for (name, key) in names {
                let key = percent_decode_str(key).decode_utf8_lossy().to_ascii_lowercase();
                let values = user.extra.entry(key).or_default();
                values.extend(texts(headers, name.as_str()).map(str::to_owned));
            }
        }
        Some(user)
    }
}

fn texts<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

#[async_trait]
impl Authenticator for RequestHeader {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        connection: Option<&Connection>,
    ) -> Result<Option<UserInfo>, AuthenticationError> {
        let Some(user) = self.user(headers) else {
            return Ok(None);
        };
        let Some(connection) = connection.filter(|connection| !connection.certificates.is_empty()) else {
            return Ok(None);
        };
        let proxy = self.proxies.user(&connection.certificates)?;
        let allowed = &self.config.allowed_names;
        if !allowed.is_empty() && !allowed.contains(&proxy.name) {
            let message = format!("the proxy {:?} may not speak for others", proxy.name);
            return Err(AuthenticationError(message));
        }
        Ok(Some(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::certificates::{Authority, KeyPair};
    use http::HeaderName;
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    fn connection(certificate: &KeyPair) -> Connection {
        let der = CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes()).unwrap();
        Connection::new(([127, 0, 0, 1], 1).into(), vec![der])
    }

    fn headers(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in rows {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[tokio::test]
    async fn a_known_proxy_says_who_the_user_is() {
        let clock = Clock::default();
        let ca = Authority::new("front-proxy-ca", &clock).unwrap();
        let mut config = RequestHeaderConfig::new(ca.certificate_pem());
        config.allowed_names = vec!["proxy".to_owned()];
        let authenticator = RequestHeader::new(Arc::new(config), clock.clone()).unwrap();
        let proxy = connection(&ca.client("proxy", None).unwrap());
        let given = headers(&[
            ("x-remote-user", "jane"),
            ("x-remote-group", "a"),
            ("x-remote-group", "b"),
            ("x-remote-extra-example.com%2fteam", "x"),
            ("x-remote-uid", "7"),
        ]);
        let user = authenticator.authenticate(&given, Some(&proxy)).await.unwrap().unwrap();
        let expected = UserInfo {
            name: "jane".to_owned(),
            uid: "7".to_owned(),
            groups: vec!["a".to_owned(), "b".to_owned()],
            extra: [("example.com/team".to_owned(), vec!["x".to_owned()])].into(),
        };
        assert_eq!(user, expected);
        // Without the headers it is the proxy itself that asks.
        let itself = authenticator.authenticate(&HeaderMap::new(), Some(&proxy)).await;
        assert_eq!(itself.unwrap(), None);
    }

    #[tokio::test]
    async fn nobody_else_is_believed() {
        let clock = Clock::default();
        let ca = Authority::new("front-proxy-ca", &clock).unwrap();
        let mut config = RequestHeaderConfig::new(ca.certificate_pem());
        config.allowed_names = vec!["proxy".to_owned()];
        let authenticator = RequestHeader::new(Arc::new(config), clock.clone()).unwrap();
        let given = headers(&[("x-remote-user", "root")]);
        assert_eq!(authenticator.authenticate(&given, None).await.unwrap(), None);
        let other_name = connection(&ca.client("somebody", None).unwrap());
        assert!(authenticator.authenticate(&given, Some(&other_name)).await.is_err());
        let other_ca = Authority::new("other-ca", &clock).unwrap();
        let other_ca = connection(&other_ca.client("proxy", None).unwrap());
        assert!(authenticator.authenticate(&given, Some(&other_ca)).await.is_err());
    }
}
