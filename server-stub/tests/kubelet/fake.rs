//! A kubelet on the loopback address: TLS, logs, `/exec` and `/portForward` over WebSocket, a page at `/pages`, and `/healthz`. It counts
//! the connections that it gets.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{SinkExt, StreamExt, stream};
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kubewire_server_stub::generic::certificates::Authority;
use kubewire_server_stub::generic::clock::Clock;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The kubelet; dropping it ends everything.
pub(crate) struct Kubelet {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Streams into containers that are open now.
    pub(crate) streams: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Kubelet {
    pub(crate) async fn start() -> Self {
        let pair = Authority::new("kubelet-ca", &Clock::default()).unwrap();
        let pair = pair.server("kubelet", &["node"], &[]).unwrap();
        let certificate = CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut tls = tls
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let streams = Arc::new(AtomicUsize::new(0));
        let (mut serving, counter, open) = (JoinSet::new(), connections.clone(), streams.clone());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                let (tls, open) = (tls.clone(), open.clone());
                connections.spawn(async move {
                    let stream = TokioIo::new(tls.accept(stream).await.unwrap());
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    builder
                        .serve_connection_with_upgrades(stream, service_fn(|request| answer(request, open.clone())))
                        .await
                        .ok();
                });
            }
        });
        Self {
            port,
            connections,
            streams,
            _serving: serving,
        }
    }
}

async fn answer(mut request: Request<Incoming>, streams: Arc<AtomicUsize>) -> Result<Response<Body>, Infallible> {
    let (path, query) = (
        request.uri().path().to_owned(),
        request.uri().query().unwrap_or_default().to_owned(),
    );
    let whole = |code: u16, text: String| {
        Response::builder()
            .status(code)
            .body(Full::new(text.into()).boxed_unsync())
    };
    let pieces: Vec<&str> = path.split('/').skip(1).collect();
    let response = match pieces.as_slice() {
        ["containerLogs", _, "broken", _] => whole(500, "no such log\n".to_owned()),
        ["containerLogs", namespace, pod, container] => {
            let lines = [format!("{namespace}/{pod}/{container}\n"), format!("{query}\n")];
            let frames = lines.map(|line| Ok(Frame::data(Bytes::from(line))));
            Response::builder().body(StreamBody::new(stream::iter(frames)).boxed_unsync())
        }
        ["exec" | "attach" | "portForward", ..] => {
            let accept = derive_accept_key(request.headers()[header::SEC_WEBSOCKET_KEY].as_bytes());
            let upgrade = hyper::upgrade::on(&mut request);
            let ports = path.starts_with("/portForward");
            streams.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                if ports {
                    echo(upgrade).await
                } else {
                    run(upgrade, &query).await
                }
                streams.fetch_sub(1, Ordering::SeqCst);
            });
            Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(header::CONNECTION, "Upgrade")
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_ACCEPT, accept)
                .header(header::SEC_WEBSOCKET_PROTOCOL, "v5.channel.k8s.io")
                .body(Full::default().boxed_unsync())
        }
        ["healthz"] => whole(200, "ok".to_owned()),
        ["pages", "links"] => Response::builder()
            .header(header::CONTENT_TYPE, "text/html")
            .body(Full::new("<img src='/i.png'><a href=x>".into()).boxed_unsync()),
        ["pages", "old"] => Response::builder()
            .status(302)
            .header(header::LOCATION, "/pages/new")
            .body(Full::default().boxed_unsync()),
        ["pages", ..] => {
            let header = |name: &str| {
                request
                    .headers()
                    .get(name)
                    .map_or("-", |value| value.to_str().unwrap())
                    .to_owned()
            };
            let (uri, authorization) = (header("x-forwarded-uri"), header("authorization"));
            let (method, own) = (
                request.method().clone(),
                request.uri().path_and_query().unwrap().to_string(),
            );
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            whole(200, format!("{method} {own} from {uri} as {authorization}: {body}"))
        }
        _ => whole(404, "nothing here\n".to_owned()),
    };
    Ok(response.unwrap())
}

async fn socket(upgrade: OnUpgrade) -> WebSocketStream<TokioIo<hyper::upgrade::Upgraded>> {
    let upgraded = TokioIo::new(upgrade.await.unwrap());
    WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await
}

/// Prints its parameters, then what it reads, and ends well.
async fn run(upgrade: OnUpgrade, query: &str) {
    let mut socket = socket(upgrade).await;
    let send = |channel: u8, data: &[u8]| Message::Binary([&[channel], data].concat().into());
    socket.send(send(1, query.as_bytes())).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        match &message.into_data()[..] {
            [255, 0] => break,
            [0, data @ ..] => drop(socket.send(send(1, data)).await),
            _ => {}
        }
    }
    // The client may be gone.
    let end = [
        Message::Binary(vec![255, 1].into()),
        send(3, br#"{"metadata":{},"status":"Success"}"#),
    ];
    for message in end {
        socket.send(message).await.ok();
    }
    socket.close(None).await.ok();
}

/// One port that sends back what it gets.
async fn echo(upgrade: OnUpgrade) {
    let mut socket = socket(upgrade).await;
    for channel in [0, 1] {
        socket.send(Message::Binary(vec![channel, 7, 0].into())).await.unwrap();
    }
    while let Some(Ok(message)) = socket.next().await {
        match &message.into_data()[..] {
            [255, channel] => {
                socket.send(Message::Binary(vec![255, *channel].into())).await.unwrap();
                break;
            }
            data @ [0, ..] => drop(socket.send(Message::Binary(data.to_vec().into())).await),
            _ => {}
        }
    }
    socket.close(None).await.ok();
}
