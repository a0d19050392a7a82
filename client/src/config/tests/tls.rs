//! Whom a bundle of certificates makes us believe.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::config::{PemSource, TlsOptions};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, purpose: ExtendedKeyUsagePurpose) -> String {
        let mut params = CertificateParams::new(["a.example.com".to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        params.signed_by(&KeyPair::generate().unwrap(), &self.0).unwrap().pem()
    }
}

fn with_bundle(pem: &str) -> TlsOptions {
    TlsOptions {
        ca: Some(PemSource::Inline(pem.into())),
        ..TlsOptions::default()
    }
}

/// Whether the server that shows `certificate` under `name` is believed.
fn believes(bundle: &str, certificate: &str, name: &'static str, now: UnixTime) -> bool {
    let options = with_bundle(bundle);
    let verifier = options
        .verifier(&options.material().unwrap(), options.provider())
        .unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let name = ServerName::try_from(name).unwrap();
    verifier.verify_server_cert(&certificate, &[], &name, &[], now).is_ok()
}

#[test]
fn a_bundle_is_of_authorities_or_of_servers() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.issue(ExtendedKeyUsagePurpose::ServerAuth);
    let (now, long_ago) = (UnixTime::now(), UnixTime::since_unix_epoch(std::time::Duration::ZERO));
    for bundle in [
        &authority.0.pem(),
        &server,
        &format!("{}{}", other.0.pem(), authority.0.pem()),
    ] {
        assert!(believes(bundle, &server, "a.example.com", now));
        assert!(!believes(bundle, &server, "b.example.com", now));
        assert!(!believes(bundle, &server, "a.example.com", long_ago));
    }
    assert!(!believes(&other.0.pem(), &server, "a.example.com", now));
    let client = authority.issue(ExtendedKeyUsagePurpose::ClientAuth);
    for bundle in [&authority.0.pem(), &client] {
        assert!(!believes(bundle, &client, "a.example.com", now), "that is no server's");
    }
}

#[test]
fn a_bundle_must_hold_something() {
    let authority = Authority::new().0.pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for nothing in ["", "text", broken] {
        let error = with_bundle(nothing).rustls_config().unwrap_err();
        assert!(error.to_string().contains("holds no PEM certificate"), "{error}");
    }
    assert!(with_bundle(&format!("{broken}{authority}")).rustls_config().is_ok());
}

#[test]
fn anybody_or_somebody_but_not_both() {
    let mut options = with_bundle(&Authority::new().0.pem());
    options.insecure_skip_verify = true;
    assert!(options.rustls_config().is_err());
    options.ca = None;
    assert_eq!(
        options.rustls_config().unwrap().alpn_protocols,
        [&b"h2"[..], b"http/1.1"]
    );
}
