//! Client certificates: the common name is the user, the organizations are the groups.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{AuthenticationError, Authenticator, CREDENTIAL_ID, Connection};
use crate::generic::clock::Clock;
use crate::generic::dynamic_files::{DynamicFiles, DynamicFilesError};
use crate::generic::request::UserInfo;

/// Accepts the certificates that a client CA signed.
pub struct ClientCertificates {
    verifier: DynamicFiles<Arc<dyn ClientCertVerifier>>,
    clock: Clock,
}

/// A client CA that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientCaError {
    /// The PEM text is wrong.
    #[error("the client CA is not PEM")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// A certificate is not fit to be a CA.
    #[error("the client CA holds a certificate that cannot be used")]
    Certificate(#[source] rustls::Error),
    /// There is no certificate in it.
    #[error("the client CA holds no certificate")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}

impl ClientCertificates {
    /// Trusts the certificate authorities of a PEM text.
    pub fn new(ca_pem: &[u8], clock: Clock) -> Result<Self, ClientCaError> {
        let verifier = DynamicFiles::fixed(verifier(ca_pem)?);
        Ok(Self { verifier, clock })
    }

    /// Trusts the certificate authorities of a PEM file, and of what it changes to.
    pub fn from_file(path: &Path, clock: Clock) -> Result<Self, DynamicFilesError> {
        let verifier = DynamicFiles::new(vec![path.to_owned()], |contents| Ok(verifier(&contents.concat())?))?;
        Ok(Self { verifier, clock })
    }

    /// Whom a certificate stands for.
    pub(super) fn user(&self, certificates: &[CertificateDer<'static>]) -> Result<UserInfo, AuthenticationError> {
        let [certificate, intermediates @ ..] = certificates else {
            return Err(AuthenticationError("no client certificate".to_owned()));
        };
        let since_epoch = Duration::try_from_secs_f64(self.clock.now().as_second() as f64).unwrap_or_default();
        self.verifier
            .get()
            .verify_client_cert(certificate, intermediates, UnixTime::since_unix_epoch(since_epoch))
            .map_err(|error| AuthenticationError(format!("verify the client certificate: {error}")))?;
        let wrong = |error: String| AuthenticationError(format!("read the client certificate: {error}"));
        let fingerprint = ring::digest::digest(&ring::digest::SHA256, certificate);
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|e| wrong(e.to_string()))?;
        let text = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            attribute.as_str().map(str::to_owned).map_err(|e| wrong(e.to_string()))
        };
        let subject = certificate.subject();
        let name = subject
            .iter_common_name()
            .next()
            .map(text)
            .transpose()?
            .unwrap_or_default();
        if name.is_empty() {
            return Err(wrong("its subject has no common name".to_owned()));
        }
        Ok(UserInfo {
            name,
            groups: subject.iter_organization().map(text).collect::<Result<_, _>>()?,
            extra: [(
                CREDENTIAL_ID.to_owned(),
                vec![format!("X509SHA256={}", hex(fingerprint.as_ref()))],
            )]
            .into(),
            ..UserInfo::default()
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verifier(ca_pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, ClientCaError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        roots
            .add(certificate.map_err(ClientCaError::Pem)?)
            .map_err(ClientCaError::Certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(ClientCaError::Verifier)
}

#[async_trait]
impl Authenticator for ClientCertificates {
    async fn authenticate(
        &self,
        _: &HeaderMap,
        connection: Option<&Connection>,
    ) -> Result<Option<UserInfo>, AuthenticationError> {
        match connection {
            Some(connection) if !connection.certificates.is_empty() => {
                if let Some(user) = connection.user.get() {
                    return Ok(Some(user.clone()));
                }
                let user = self.user(&connection.certificates)?;
                Ok(Some(connection.user.get_or_init(|| user).clone()))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::certificates::Authority;

    fn connection(certificate: &crate::generic::certificates::KeyPair) -> Connection {
        let der = CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes()).unwrap();
        Connection::new(([127, 0, 0, 1], 1).into(), vec![der])
    }

    #[tokio::test]
    async fn the_subject_names_user_and_group() {
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        let clock = Clock::fixed(now);
        let ca = Authority::new("test-ca", &clock).unwrap();
        let ann = connection(&ca.client("ann", Some("dev")).unwrap());
        let headers = HeaderMap::new();
        let authenticator = ClientCertificates::new(ca.certificate_pem().as_bytes(), clock.clone()).unwrap();
        let user = authenticator.authenticate(&headers, Some(&ann)).await.unwrap().unwrap();
        assert_eq!((user.name.as_str(), user.groups), ("ann", vec!["dev".to_owned()]));

        let stranger = Authority::new("other-ca", &clock)
            .unwrap()
            .client("ann", Some("dev"))
            .unwrap();
        assert!(
            authenticator
                .authenticate(&headers, Some(&connection(&stranger)))
                .await
                .is_err()
        );

        // Another authority may know a client that the first one asked does not.
        let others = ClientCertificates::new(
            Authority::new("x", &clock).unwrap().certificate_pem().as_bytes(),
            clock.clone(),
        );
        let bob = connection(&ca.client("bob", None).unwrap());
        let both = crate::authentication::UnionAuthenticator(vec![Arc::new(others.unwrap()), Arc::new(authenticator)]);
        for _ in 0..2 {
            let user = both.authenticate(&headers, Some(&bob)).await.unwrap().unwrap();
            assert_eq!(user.name, "bob");
        }

        let late = Clock::fixed("2099-01-01T00:00:00Z".parse().unwrap());
        let authenticator = ClientCertificates::new(ca.certificate_pem().as_bytes(), late).unwrap();
        let expired = connection(&ca.client("ann", Some("dev")).unwrap());
        assert!(authenticator.authenticate(&headers, Some(&expired)).await.is_err());
    }
}
