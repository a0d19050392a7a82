//! TLS: from PEM text and files to a rustls configuration.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{ConfigError, PemSource, TlsOptions};

/// The content of the PEM sources at one moment. It holds a private key: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TlsMaterial {
    ca: Option<Vec<u8>>,
    pub(crate) identity: Option<Identity>,
}

/// A client certificate and its key as PEM text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl TlsOptions {
    pub(super) fn is_set(&self) -> bool {
        self.ca.is_some() || self.identity.is_some() || self.insecure_skip_verify
    }

    /// True where the material may change.
    pub(crate) fn has_files(&self) -> bool {
        let identity = self.identity.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        self.ca
            .iter()
            .chain(identity)
            .any(|source| matches!(source, PemSource::File(_)))
    }

    /// Reads the PEM sources; blocks while it reads files.
    pub(crate) fn material(&self) -> Result<TlsMaterial, ConfigError> {
        let ca = self
            .ca
            .as_ref()
            .map(|ca| ca.read("certificate-authority"))
            .transpose()?;
        let identity = match &self.identity {
            Some(pair) => Some(Identity {
                certificate: pair.certificate.read("client-certificate")?,
                key: pair.key.read("client-key")?,
            }),
            None => None,
        };
        Ok(TlsMaterial { ca, identity })
    }

    /// The rustls configuration for this material, offering HTTP/2 and HTTP/1.1.
    pub(crate) fn client_config(&self, material: &TlsMaterial) -> Result<ClientConfig, ConfigError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::setup("TLS", error))?;
        let builder = if self.insecure_skip_verify {
            if material.ca.is_some() {
                let reason = "cannot be used together with a certificate authority";
                return Err(ConfigError::invalid("insecure-skip-tls-verify", None, reason));
            }
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAnything(provider)))
        } else {
            let roots = match &material.ca {
                Some(pem) => roots(pem, &origin(self.ca.as_ref()))?,
                None => system_roots()?,
            };
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| ConfigError::setup("TLS", error))?;
            builder.with_webpki_verifier(verifier)
        };
        let mut config = match &material.identity {
            Some(identity) => {
                let source = self.identity.as_ref();
                let certificate_from = origin(source.map(|pair| &pair.certificate));
                let key_from = origin(source.map(|pair| &pair.key));
                let certificates = certificates("client-certificate", &identity.certificate, &certificate_from)?;
                let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|_| {
                    let reason = "holds no unencrypted PKCS#8, PKCS#1 or SEC1 private key in PEM";
                    ConfigError::invalid("client-key", Some(&key_from), reason)
                })?;
                builder.with_client_auth_cert(certificates, key).map_err(|error| {
                    ConfigError::invalid("client-key", Some(&key_from), format!("cannot be used: {error}"))
                })?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl PemSource {
    fn read(&self, what: &'static str) -> Result<Vec<u8>, ConfigError> {
        match self {
            Self::Inline(pem) => Ok(pem.expose().as_bytes().to_vec()),
            Self::File(path) => read_pem(what, path),
        }
    }
}

pub(super) fn read_pem(what: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|source| ConfigError::Read {
        what,
        path: path.to_owned(),
        source,
    })
}

fn origin(source: Option<&PemSource>) -> String {
    match source {
        Some(PemSource::File(path)) => path.display().to_string(),
        Some(PemSource::Inline(_)) => "inline data".to_owned(),
        None => "the credential plugin".to_owned(),
    }
}

fn roots(pem: &[u8], origin: &str) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("certificate-authority", pem, origin)? {
        roots.add(certificate).map_err(|error| {
            ConfigError::invalid(
                "certificate-authority",
                Some(origin),
                format!("cannot be used: {error}"),
            )
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, ConfigError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = match found.errors.first() {
            Some(error) => format!("is not set, and the system has none: {error}"),
            None => "is not set, and the system has none".to_owned(),
        };
        return Err(ConfigError::invalid("certificate-authority", None, reason));
    }
    Ok(roots)
}

fn certificates(field: &'static str, pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let invalid = |reason: &str| ConfigError::invalid(field, Some(origin), reason);
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(invalid("holds no PEM certificate")),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(invalid("is not valid PEM")),
    }
}

/// Trusts every server; signatures are still checked, since TLS means nothing without.
#[derive(Debug)]
struct AcceptAnything(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
