//! The bytes of every connection: plain HTTP on one side, the server's TLS on the other.

use std::net::SocketAddr;
use std::sync::Arc;

use kubewire_server_stub::testing::Server;
use parking_lot::Mutex;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What went over one connection.
#[derive(Default)]
pub(crate) struct Recording {
    pub(crate) sent: Mutex<Vec<u8>>,
    pub(crate) received: Mutex<Vec<u8>>,
}

/// Listens for plain HTTP and passes every byte on to a server behind TLS.
pub(crate) struct WireTap {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<Mutex<Vec<Arc<Recording>>>>,
}

impl WireTap {
    /// A tap in front of `server`; it lives as long as the runtime.
    pub(crate) async fn open(server: &Server) -> Self {
        let address = server.url().trim_start_matches("https://").trim_end_matches('/');
        let (server, ca_pem): (SocketAddr, _) = (address.parse().unwrap(), server.ca_pem());
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<Mutex<Vec<Arc<Recording>>>>::default();
        let recordings = connections.clone();
        tokio::spawn(async move {
            let mut pipes = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let recording = Arc::new(Recording::default());
                recordings.lock().push(recording.clone());
                let upstream = TcpStream::connect(server).await.unwrap();
                let name = ServerName::try_from(server.ip().to_string()).unwrap();
                let upstream = connector.connect(name, upstream).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = tokio::io::split(upstream);
                let (up, down) = (recording.clone(), recording);
                pipes.spawn(async move { pass(from_client, to_server, |bytes| up.sent.lock().extend(bytes)).await });
                pipes.spawn(
                    async move { pass(from_server, to_client, |bytes| down.received.lock().extend(bytes)).await },
                );
            }
        });
        Self { address, connections }
    }

    /// Every request so far with what has arrived of its answer.
    ///
    /// Only for connections without pipelining, such as those of our client: the answers of a connection are in the
    /// order of its requests.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        let connections = self.connections.lock();
        connections
            .iter()
            .flat_map(|recording| {
                let requests = messages(&recording.sent.lock());
                let mut answers = messages(&recording.received.lock()).into_iter();
                let pair = move |request| Exchange {
                    request,
                    response: answers.next().unwrap_or_default(),
                };
                requests.into_iter().map(pair)
            })
            .collect()
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, keep: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        keep(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
        let _ = to.flush().await;
    }
    let _ = to.shutdown().await;
}

/// A request and its answer.
pub(crate) struct Exchange {
    pub request: Message,
    pub response: Message,
}

/// One HTTP/1.1 message as it was on the wire, its body without chunk headers.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Takes the bytes of one direction apart; a body that is still coming is as long as what is there.
fn messages(mut bytes: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        bytes = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap().to_owned();
        let header = |line: &str| {
            line.split_once(':')
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        };
        let mut message = Message {
            start,
            headers: lines.filter_map(header).collect(),
            body: Vec::new(),
        };
        if message.header("transfer-encoding") == Some("chunked") {
            (message.body, bytes) = dechunk(bytes);
        } else {
            let length: usize = message
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap());
            let (body, rest) = bytes.split_at(length.min(bytes.len()));
            (message.body, bytes) = (body.to_vec(), rest);
        }
        messages.push(message);
    }
    messages
}

fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let chunk = &bytes[end + 2..];
        if chunk.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&chunk[..size]);
        bytes = &chunk[size + 2..];
        if size == 0 {
            break;
        }
    }
    (body, bytes)
}
