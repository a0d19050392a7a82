//! An HTTPS server for as long as it lives, whose answers a function makes.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{CipherSuite, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What came in.
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The client's certificate and its intermediates.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(crate) cipher: CipherSuite,
    pub(crate) server_name: Option<String>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A code and a JSON text.
pub(crate) type Answer = (u16, String);

type Handler = dyn Fn(&Seen) -> Answer + Send + Sync;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Used for connections from now on.
    pub(crate) tls: Arc<Mutex<Arc<rustls::ServerConfig>>>,
    _serving: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(
        host: &str,
        tls: rustls::ServerConfig,
        answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = Arc::new(Mutex::new(Arc::new(tls)));
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, tls.clone(), Arc::new(answer)));
        Self {
            address,
            tls,
            _serving: serving,
        }
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.address.port())
    }
}

async fn accept(listener: TcpListener, tls: Arc<Mutex<Arc<rustls::ServerConfig>>>, answer: Arc<Handler>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = TlsAcceptor::from(tls.lock().clone());
        connections.spawn(serve(stream, acceptor, answer.clone()));
    }
}

/// Handshakes and connections that break off are part of the tests.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, answer: Arc<Handler>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let (_, session) = stream.get_ref();
    let certificates = session.peer_certificates().unwrap_or_default().to_vec();
    let cipher = session.negotiated_cipher_suite().unwrap().suite();
    let server_name = session.server_name().map(str::to_owned);
    let handle = service_fn(|request: Request<Incoming>| async {
        let (head, body) = request.into_parts();
        let seen = Seen {
            path: head.uri.to_string(),
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
            certificates: certificates.clone(),
            cipher,
            server_name: server_name.clone(),
        };
        let (code, text) = answer(&seen);
        let response = Response::builder()
            .status(code)
            .header("content-type", "application/json");
        Ok::<_, hyper::Error>(response.body(Full::new(Bytes::from(text))).unwrap())
    });
    let connection = hyper::server::conn::http1::Builder::new();
    connection.serve_connection(TokioIo::new(stream), handle).await.ok();
}

/// Serves with this certificate (chain) and key.
pub(crate) fn serving(
    certificate: &str,
    key: &str,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<rustls::ServerConfig, rustls::Error> {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
}

/// An authority that issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key, for this common name, and for servers at this machine's addresses.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server's side of TLS with a certificate of this authority, asking for none of the client's.
    pub(crate) fn server(&self) -> rustls::ServerConfig {
        let (certificate, key) = self.issue("server");
        serving(&certificate, &key, Arc::new(NoClientAuth)).unwrap()
    }
    /// A server that keeps the certificate behind each request, where the client has one.
    pub(crate) async fn certificates_seen(&self) -> (Server, Arc<Mutex<Vec<String>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let clients = clients.allow_unauthenticated().build().unwrap();
        let (certificate, key) = self.issue("server");
        let tls = serving(&certificate, &key, clients).unwrap();
        let server = Server::start("127.0.0.1", tls, move |request| {
            let pem = request.certificates.first().map(|der| pem(der));
            sink.lock().push(pem.unwrap_or_default());
            (200, "{}".to_owned())
        });
        (server.await, seen)
    }
}

fn pem(der: &[u8]) -> String {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}
