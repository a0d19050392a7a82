//! TLS: from PEM text and files to a rustls configuration.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};

use super::verify::{AcceptAnything, Verifier};
use super::{ConfigError, PemSource, TlsOptions};

/// The object identifier of the curve P-521, as keys hold it.
const P521: [u8; 5] = [0x2b, 0x81, 0x04, 0x00, 0x23];

/// The content of the PEM sources at one moment, cheap to clone and to compare with a clone. It holds a private key: no
/// `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TlsMaterial {
    pub(crate) ca: Option<Arc<Vec<u8>>>,
    pub(crate) identity: Option<Arc<Identity>>,
}

/// A client certificate and its key as PEM text.
#[derive(PartialEq, Eq)]
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
        let ca = match &self.ca {
            Some(ca) => Some(ca.read("certificate-authority")?.into()),
            None => None,
        };
        let identity = match &self.identity {
            Some(pair) => Some(Arc::new(Identity {
                certificate: pair.certificate.read("client-certificate")?,
                key: pair.key.read("client-key")?,
            })),
            None => None,
        };
        Ok(TlsMaterial { ca, identity })
    }

    /// The rustls configuration of these options, offering HTTP/2 and HTTP/1.1: for connections that are made by other
    /// means than this client. Blocks while it reads files. Whom to expect ([`server_name`](Self::server_name), or else
    /// the host) is for the caller to say for each connection.
    ///
    /// # Errors
    /// Where certificates or keys cannot be read or used.
    pub fn rustls_config(&self) -> Result<ClientConfig, ConfigError> {
        self.client_config(&self.material()?)
    }

    /// The rustls configuration for this material, offering HTTP/2 and HTTP/1.1.
    pub(crate) fn client_config(&self, material: &TlsMaterial) -> Result<ClientConfig, ConfigError> {
        let provider = self.provider();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::setup("TLS", error))?;
        let builder = if self.insecure_skip_verify {
            if material.ca.is_some() {
                let reason = "cannot be used together with a certificate authority";
                return Err(ConfigError::invalid("insecure-skip-tls-verify", None, reason));
            }
            let verifier = AcceptAnything(provider.clone());
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            let verifier = self.verifier(material, provider.clone())?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        };
        let mut config = match &material.identity {
            Some(identity) => {
                let identity = self.certified_key(identity, &provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The cryptography asked for, or the process's, or ring.
    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        let chosen = self.crypto_provider.as_ref().or_else(|| CryptoProvider::get_default());
        chosen.cloned().unwrap_or_else(|| Arc::new(ring::default_provider()))
    }

    pub(super) fn verifier(
        &self,
        material: &TlsMaterial,
        provider: Arc<CryptoProvider>,
    ) -> Result<Verifier, ConfigError> {
        let (roots, trusted) = match &material.ca {
            Some(pem) => roots(pem, &origin(self.ca.as_ref()))?,
            None => (system_roots()?, Vec::new()),
        };
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(Verifier {
            authorities: authorities.build().map_err(|error| ConfigError::setup("TLS", error))?,
            trusted,
        })
    }

    /// Our certificate with its key. Nothing is asked of the certificate but that the key is its own: what it is worth
    /// is for the server to say, and some take what webpki does not, such as certificates of version 1.
    fn certified_key(&self, identity: &Identity, provider: &CryptoProvider) -> Result<CertifiedKey, ConfigError> {
        let source = self.identity.as_ref();
        let certificate_from = origin(source.map(|pair| &pair.certificate));
        let key_from = origin(source.map(|pair| &pair.key));
        let invalid = |reason: String| ConfigError::invalid("client-key", Some(&key_from), reason);

        let chain: Result<_, _> = CertificateDer::pem_slice_iter(&identity.certificate).collect();
        let chain: Vec<_> = chain
            .map_err(|_| ConfigError::invalid("client-certificate", Some(&certificate_from), "is not valid PEM"))?;
        if chain.is_empty() {
            return Err(no_certificate("client-certificate", &certificate_from));
        }
        let key = signing_key(&identity.key, provider).map_err(invalid)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Err(error @ rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(invalid(format!("is not the key of the certificate: {error}")))
            }
            _ => Ok(certified),
        }
    }
}

/// The first private key of a PEM text, whatever its label says of its form.
fn signing_key(pem: &[u8], provider: &CryptoProvider) -> Result<Arc<dyn SigningKey>, String> {
    let key = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "holds no unencrypted PKCS#8, PKCS#1 or SEC1 private key in PEM".to_owned())?;
    let der = key.secret_der().to_vec();
    let load = |key| provider.key_provider.load_private_key(key);
    load(key)
        .or_else(|error| {
            let others = [
                PrivateKeyDer::Pkcs8(der.clone().into()),
                PrivateKeyDer::Pkcs1(der.clone().into()),
                PrivateKeyDer::Sec1(der.clone().into()),
            ];
            others.into_iter().find_map(|key| load(key).ok()).ok_or(error)
        })
        .map_err(|error| {
            if der.windows(P521.len()).any(|part| part == P521) {
                "is a P-521 key, which the crypto provider in use (ring by default) does not know".to_owned()
            } else {
                format!("cannot be used: {error}")
            }
        })
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

/// The authorities of a bundle, and its certificates. As in Go, what cannot be read is passed over as long as anything
/// is left.
fn roots(pem: &[u8], origin: &str) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), ConfigError> {
    let mut roots = RootCertStore::empty();
    let mut trusted = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = match certificate {
            Ok(certificate) => {
                let added = roots.add(certificate.clone()).map_err(|error| error.to_string());
                trusted.extend(added.is_ok().then_some(certificate));
                added
            }
            Err(_) => Err("it is not valid PEM".to_owned()),
        };
        if let Err(reason) = added {
            tracing::warn!(from = origin, reason, "a certificate authority is passed over");
        }
    }
    if trusted.is_empty() {
        return Err(no_certificate("certificate-authority", origin));
    }
    Ok((roots, trusted))
}

fn no_certificate(field: &'static str, origin: &str) -> ConfigError {
    ConfigError::invalid(field, Some(origin), "holds no PEM certificate that can be read")
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
