//! Whom the proxy believes, and what it shows of itself.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use x509_parser::prelude::{FromDer, X509Certificate};

use crate::generic::certificates::KeyPair;

/// Which servers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Those that the machine's certificate authorities vouch for.
    #[default]
    System,
    /// Those that the authorities in these PEM bytes vouch for.
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
    /// The certificates of the authorities, or the own pair, are not PEM.
    #[error("read certificates")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// TLS does not take them.
    #[error("use certificates")]
    Tls(#[from] rustls::Error),
    /// The name of the server cannot be one.
    #[error("the server's name {0:?} is no DNS name or address")]
    ServerName(String),
}

impl ProxyTls {
    /// Believes `trust`, and shows `identity` to servers that ask for it. HTTP/2 is spoken where the server offers it.
    pub fn new(trust: &Trust, identity: Option<&KeyPair>) -> Result<Self, ProxyTlsError> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = match trust {
            Trust::Anybody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyServer(algorithms))),
            Trust::System => builder.with_root_certificates(system_roots()),
            Trust::Bundle(pem) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Bundle::new(pem)?)),
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = CertificateDer::pem_slice_iter(pair.certificate_pem.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes())?;
                builder.with_client_auth_cert(chain.collect::<Result<_, _>>()?, key)?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
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

/// Takes the certificates that an authority of the bundle signed, and, as Go does, those that are in it themselves.
#[derive(Debug)]
struct Bundle {
    certificates: Vec<CertificateDer<'static>>,
    signed: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Bundle {
    fn new(pem: &[u8]) -> Result<Self, ProxyTlsError> {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone())?;
        }
        let provider = Arc::new(ring::default_provider());
        Ok(Self {
            certificates,
            algorithms: provider.signature_verification_algorithms,
            // There is none without authorities.
            signed: WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .ok(),
        })
    }
}

impl ServerCertVerifier for Bundle {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.certificates.iter().any(|known| known == certificate) {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            check_validity(certificate, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        match &self.signed {
            Some(signed) => signed.verify_server_cert(certificate, intermediates, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn check_validity(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let (validity, now) = (certificate.validity(), i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    match () {
        () if now < validity.not_before.timestamp() => Err(CertificateError::NotValidYet.into()),
        () if now > validity.not_after.timestamp() => Err(CertificateError::Expired.into()),
        () => Ok(()),
    }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Takes any certificate whose key the server has.
#[derive(Debug)]
struct AnyServer(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::certificates::Authority;
    use crate::generic::clock::Clock;

    #[test]
    fn a_bundle_is_of_authorities_or_of_servers() {
        let authority = Authority::new("ca", &Clock::system()).unwrap();
        let server = authority.server("server", &["a.example.com"], &[]).unwrap();
        let certificate = CertificateDer::from_pem_slice(server.certificate_pem.as_bytes()).unwrap();
        let other = Authority::new("other", &Clock::system()).unwrap();
        let accepts = |bundle: &str, name: &'static str, now: UnixTime| {
            let bundle = Bundle::new(bundle.as_bytes()).unwrap();
            let name = ServerName::try_from(name).unwrap();
            bundle.verify_server_cert(&certificate, &[], &name, &[], now).is_ok()
        };
        let (now, long_ago) = (UnixTime::now(), UnixTime::since_unix_epoch(std::time::Duration::ZERO));
        for bundle in [authority.certificate_pem(), &server.certificate_pem] {
            assert!(accepts(bundle, "a.example.com", now));
            assert!(!accepts(bundle, "b.example.com", now));
            assert!(!accepts(bundle, "a.example.com", long_ago));
        }
        assert!(!accepts(other.certificate_pem(), "a.example.com", now));
        assert!(!accepts("", "a.example.com", now));
    }
}
