//! Every case of `tests/client-go/certificates`, against whether client-go connects with it:
//! `cd client/tests/client-go && go run ./certificates | zstd -19 > ../../../testdata/vectors/client_go_certificates.jsonl.zst`

use std::sync::Arc;

use kubewire_client::config::PemSource;
use kubewire_client::rest::{Request, Verb};
use kubewire_client::{Client, Config};
use parking_lot::Mutex;
use rustls::RootCertStore;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{CipherSuite, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Authority, Server, serving};
use crate::{support, version_by};

/// What ends in another way than with client-go, and why; the words are those of our error where there is one.
const DIFFERENT: [(&str, &str); 9] = [
    ("RSA 1024 PKCS8", "ring takes RSA keys from 2048 bits"),
    (
        "P-521 SEC1",
        "is a P-521 key, which the crypto provider in use (ring by default) does not know",
    ),
    (
        "P-521 PKCS8",
        "is a P-521 key, which the crypto provider in use (ring by default) does not know",
    ),
    (
        "a P-521 client key",
        "is a P-521 key, which the crypto provider in use (ring by default) does not know",
    ),
    ("a P-521 authority", "ring knows no P-521"),
    ("P-256 signed by SHA-512", "ring knows no SHA-512 with P-256"),
    (
        "a server with an authority's certificate of an authority",
        "webpki takes no authority for a server, unless its certificate itself is trusted",
    ),
    ("a server for any use", "webpki wants the use as a server by name"),
    (
        "an authority that says nothing of authority",
        "webpki takes whatever is trusted for an authority; client-go wants it to say so",
    ),
];

#[derive(Deserialize)]
struct Case {
    name: String,
    host: String,
    #[serde(rename = "serverName")]
    server_name: Option<String>,
    ca: String,
    server: Pair,
    #[serde(rename = "clientCA")]
    client_ca: Option<String>,
    client: Option<Pair>,
    accepted: bool,
}

#[derive(Deserialize)]
struct Pair {
    certificate: String,
    key: String,
}

#[tokio::test]
async fn what_go_accepts_is_accepted() {
    let text = support::unzstd(&support::testdata("vectors/client_go_certificates.jsonl.zst"));
    let mut wrong = Vec::new();
    for line in std::str::from_utf8(&text).unwrap().lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let answer = connect(&case).await;
        let different = DIFFERENT.iter().find(|(name, _)| *name == case.name);
        let as_expected = match different {
            None => answer.is_ok() == case.accepted,
            Some((_, words)) if words.starts_with("is ") => {
                answer.as_ref().is_err_and(|error| error.to_string().contains(words))
            }
            Some(_) => answer.is_ok() != case.accepted,
        };
        if !as_expected {
            let go = if case.accepted { "accepted" } else { "refused" };
            wrong.push(format!("{}: {go} by client-go, here {answer:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn connect(case: &Case) -> Result<(), kubewire_client::Error> {
    let wanted = case
        .client
        .as_ref()
        .map_or_else(Vec::new, |pair| certificates(&pair.certificate));
    // What ring cannot serve with it cannot show to a server either: that must fail before anything is sent.
    let server = serving(&case.server.certificate, &case.server.key, clients(case));
    let server = server.unwrap_or_else(|_| Authority::new().server());
    let server = Server::start(case.host.trim_matches(['[', ']']), server, move |seen| {
        assert_eq!(seen.certificates, wanted);
        (200, "{}".to_owned())
    });
    let server = server.await;
    let mut config = Config::new(server.url(&case.host)).with_ca_pem(case.ca.as_str());
    config.tls.server_name.clone_from(&case.server_name);
    if let Some(Pair { certificate, key }) = &case.client {
        let inline = |text: &str| PemSource::Inline(text.into());
        config = config.with_client_certificate(inline(certificate), inline(key));
    }
    version_by(&config).await
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(Result::unwrap)
        .collect()
}

/// Whom the server lets in.
fn clients(case: &Case) -> Arc<dyn ClientCertVerifier> {
    let Some(ca) = &case.client_ca else {
        return Arc::new(NoClientAuth);
    };
    if case.name.contains("version 1") {
        return Arc::new(AnyClient);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(ca));
    let provider = Arc::new(ring::default_provider());
    match WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build() {
        Ok(verifier) => verifier,
        Err(_) => Arc::new(NoClientAuth),
    }
}

/// Takes certificates that rustls's own verifier cannot read.
#[derive(Debug)]
struct AnyClient;

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What a server with a P-521 certificate answers to a client that offers no such signatures.
#[tokio::test]
async fn nothing_in_common_is_told_in_words() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        // The error may come after more than one try.
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 64];
            stream.read_exact(&mut hello).await.unwrap();
            let handshake_failure = [21, 3, 3, 0, 2, 2, 40];
            stream.write_all(&handshake_failure).await.unwrap();
        }
    });
    let config = Config::new(url).with_ca_pem(Authority::new().pem());
    let error = Request::new(Verb::Create, "/version", "a thing");
    let error = Client::new(&config).unwrap().send(error).await.unwrap_err();
    assert!(error.is_connect());
    let words = "the server knows none of the ciphers, key exchanges and kinds of certificates";
    assert!(error.to_string().contains(words), "{error}");
    serving.abort();
}

#[tokio::test]
async fn the_cryptography_can_be_chosen() {
    let ours = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    let authority = Authority::new();
    let seen = Arc::new(Mutex::new(None));
    let sink = seen.clone();
    let server = Server::start("127.0.0.1", authority.server(), move |request| {
        *sink.lock() = Some(request.cipher);
        (200, "{}".to_owned())
    });
    let server = server.await;
    let config = Config::new(server.url("127.0.0.1")).with_ca_pem(authority.pem());
    version_by(&config).await.unwrap();
    assert_ne!(*seen.lock(), Some(ours));

    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == ours);
    version_by(&config.with_crypto_provider(Arc::new(provider)))
        .await
        .unwrap();
    assert_eq!(*seen.lock(), Some(ours));
}

#[tokio::test]
async fn the_name_is_asked_for() {
    let authority = Authority::new();
    let seen = Arc::new(Mutex::new(None));
    let sink = seen.clone();
    let server = Server::start("127.0.0.1", authority.server(), move |request| {
        *sink.lock() = request.server_name.clone();
        (200, "{}".to_owned())
    });
    let server = server.await;
    let mut config = Config::new(server.url("127.0.0.1")).with_ca_pem(authority.pem());
    config.tls.server_name = Some("localhost".to_owned());
    version_by(&config).await.unwrap();
    assert_eq!(seen.lock().as_deref(), Some("localhost"));
}
