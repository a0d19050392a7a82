//! Whom the proxy believes, and what it shows of itself.

use std::sync::Arc;

use kubewire_client::config::{ClientCertificate, ConfigError, PemSource, TlsOptions};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_pki_types::ServerName;

use crate::generic::certificates::KeyPair;

/// Which servers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Those that the machine's certificate authorities vouch for.
    #[default]
    System,
    /// Those that the authorities in these PEM bytes vouch for, and those whose certificates are among them.
    Bundle(Vec<u8>),
    /// Every server.
    Anybody,
}

/// TLS towards one server or one kind of servers.
#[derive(Clone, Debug)]
pub struct ProxyTls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) server_name: Option<ServerName<'static>>,
}

/// Why a connection cannot be made safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyTlsError {
    /// The certificates of the authorities, or the own pair, cannot be used.
    #[error(transparent)]
    Certificates(#[from] ConfigError),
    /// The name of the server cannot be one.
    #[error("the server's name {0:?} is no DNS name or address")]
    ServerName(String),
}

impl ProxyTls {
    /// Believes `trust`, and shows `identity` to servers that ask for it. HTTP/2 is spoken where the server offers it.
    pub fn new(trust: &Trust, identity: Option<&KeyPair>) -> Result<Self, ProxyTlsError> {
        let mut tls = TlsOptions::default();
        tls.crypto_provider = Some(Arc::new(ring::default_provider()));
        match trust {
            Trust::System => {}
            Trust::Bundle(pem) => tls.ca = Some(inline(String::from_utf8_lossy(pem))),
            Trust::Anybody => tls.insecure_skip_verify = true,
        }
        tls.identity = identity.map(|pair| ClientCertificate {
            certificate: inline(pair.certificate_pem.as_str()),
            key: inline(pair.key_pem.as_str()),
        });
        Ok(Self {
            config: Arc::new(tls.rustls_config()?),
            server_name: None,
        })
    }

    /// The name that the server's certificate has to be for, whatever host is dialled.
    pub fn with_server_name(mut self, name: &str) -> Result<Self, ProxyTlsError> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| ProxyTlsError::ServerName(name.to_owned()))?;
        self.server_name = Some(name);
        Ok(self)
    }

    /// The same, for connections that are to be upgraded: HTTP/2 has no upgrades.
    pub(super) fn without_http2(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            config: Arc::new(config),
            server_name: self.server_name.clone(),
        }
    }
}

fn inline(pem: impl Into<String>) -> PemSource {
    PemSource::Inline(pem.into().into())
}
