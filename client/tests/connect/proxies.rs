//! Servers behind proxies of every kind.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kubewire_client::transport::{self, Upgrade};
use kubewire_client::{Client, Config};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::server::{Authority, Server};
use crate::version;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A proxy that brings everybody to `target`, wherever they want to go.
struct Proxy {
    address: SocketAddr,
    /// What the clients said first.
    said: mpsc::UnboundedReceiver<String>,
    _serving: JoinSet<()>,
}

impl Proxy {
    async fn start(target: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sink, said) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (sink, tls) = (sink.clone(), tls.clone());
                connections.spawn(async move {
                    let client: Box<dyn Stream> = match tls {
                        Some(tls) => Box::new(tls.accept(stream).await.unwrap()),
                        None => Box::new(stream),
                    };
                    serve(BufStream::new(client), target, &sink).await;
                });
            }
        });
        Self {
            address,
            said,
            _serving: serving,
        }
    }

    async fn heard(&mut self) -> String {
        self.said.recv().await.unwrap()
    }
}

async fn serve(mut client: BufStream<Box<dyn Stream>>, target: SocketAddr, said: &mpsc::UnboundedSender<String>) {
    let mut server = TcpStream::connect(target).await.unwrap();
    if client.fill_buf().await.unwrap()[0] == 5 {
        said.send(socks(&mut client).await).unwrap();
    } else {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            client.read_line(&mut head).await.unwrap();
        }
        if head.starts_with("CONNECT ") {
            client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
            client.flush().await.unwrap();
        } else {
            server.write_all(head.as_bytes()).await.unwrap();
        }
        said.send(head).unwrap();
    }
    // Either side may hang up.
    tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
}

/// RFC 1928 with the names and passwords of RFC 1929: who asks, and for what.
async fn socks(client: &mut BufStream<Box<dyn Stream>>) -> String {
    assert_eq!(client.read_u8().await.unwrap(), 5);
    let methods = short_text(client).await;
    let by_password = methods.contains('\u{2}');
    answer(client, &[5, if by_password { 2 } else { 0 }]).await;
    let mut asker = String::new();
    if by_password {
        assert_eq!(client.read_u8().await.unwrap(), 1);
        asker = format!("{}:{}@", short_text(client).await, short_text(client).await);
        answer(client, &[1, 0]).await;
    }
    let mut connect_to_name = [0; 4];
    client.read_exact(&mut connect_to_name).await.unwrap();
    assert_eq!(connect_to_name, [5, 1, 0, 3], "the proxy is to resolve names");
    let host = short_text(client).await;
    let port = client.read_u16().await.unwrap();
    answer(client, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    format!("{asker}{host}:{port}")
}

async fn short_text(client: &mut BufStream<Box<dyn Stream>>) -> String {
    let mut bytes = vec![0; client.read_u8().await.unwrap().into()];
    client.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn answer(client: &mut BufStream<Box<dyn Stream>>, bytes: &[u8]) {
    client.write_all(bytes).await.unwrap();
    client.flush().await.unwrap();
}

/// A server that only a proxy can find, and how to recognise it.
async fn hidden(authority: &Authority) -> (Server, Config) {
    let server = Server::start("127.0.0.1", authority.server(), |seen| {
        assert_eq!(seen.header("host"), "api.invalid:6443");
        assert!(seen.header("user-agent").starts_with("kubewire/"));
        assert_eq!(seen.header("proxy-authorization"), "", "that is for the proxy alone");
        (200, "{}".to_owned())
    });
    let mut config = Config::new("https://api.invalid:6443").with_ca_pem(authority.pem());
    config.tls.server_name = Some("localhost".to_owned());
    (server.await, config)
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode("me:p@ss"))
}

#[tokio::test]
async fn an_http_proxy_tunnels() {
    let authority = Authority::new();
    let (server, config) = hidden(&authority).await;
    let mut proxy = Proxy::start(server.address, None).await;
    let config = config.with_proxy(format!("http://me:p%40ss@{}", proxy.address));
    version(&Client::new(&config).unwrap()).await.unwrap();
    let said = proxy.heard().await;
    assert!(said.starts_with("CONNECT api.invalid:6443 HTTP/1.1\r\n"), "{said}");
    assert!(said.contains(&basic()), "{said}");
}

#[tokio::test]
async fn a_proxy_may_speak_tls_itself() {
    let authority = Authority::new();
    let (server, config) = hidden(&authority).await;
    let tls = TlsAcceptor::from(std::sync::Arc::new(authority.server()));
    let mut proxy = Proxy::start(server.address, Some(tls)).await;
    let config = config.with_proxy(format!("https://localhost:{}", proxy.address.port()));
    version(&Client::new(&config).unwrap()).await.unwrap();
    let said = proxy.heard().await;
    assert!(said.starts_with("CONNECT api.invalid:6443 HTTP/1.1\r\n"), "{said}");
    assert!(!said.to_lowercase().contains("authorization"), "{said}");
}

#[tokio::test]
async fn a_socks_proxy_resolves_names() {
    let authority = Authority::new();
    let (server, config) = hidden(&authority).await;
    let mut proxy = Proxy::start(server.address, None).await;
    for (asker, url) in [("", "socks5://"), ("me:p@ss@", "socks5://me:p%40ss@")] {
        let config = config.clone().with_proxy(format!("{url}{}", proxy.address));
        version(&Client::new(&config).unwrap()).await.unwrap();
        assert_eq!(proxy.heard().await, format!("{asker}api.invalid:6443"));
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://me:s3cr3t@{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
            stream.write_all(refusal).await.unwrap();
        }
    });
    let never = kubewire_client::backoff::ExponentialOptions::default().with_max_tries(Some(0));
    let config = Config::new("https://api.invalid").with_ca_pem(Authority::new().pem());
    let client = Client::new(&config.with_proxy(url).with_retries(never)).unwrap();
    let error = version(&client).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains("proxy authorization required"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    serving.abort();
}

/// Without TLS a proxy gets the requests themselves, but a tunnel where the protocol is to change.
#[tokio::test]
async fn plain_requests_are_forwarded_and_upgrades_tunnelled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut proxy = Proxy::start(listener.local_addr().unwrap(), None).await;
    let serving = tokio::spawn(async move {
        for reply in [
            "200 OK\r\nContent-Length: 2\r\n\r\n{}",
            "101 Switching Protocols\r\n\r\nhello",
        ] {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufStream::new(stream);
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line).await.unwrap();
            }
            stream.write_all(format!("HTTP/1.1 {reply}").as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    let config = Config::new("http://api.invalid:8080/prefix");
    let config = config.with_proxy(format!("http://me:p%40ss@{}", proxy.address));
    let transport = transport::connect(&config).unwrap();
    let request = http::Request::get("/version?a=b").body(Bytes::new()).unwrap();
    assert!(transport.send(request).await.unwrap().status().is_success());
    let said = proxy.heard().await;
    assert!(
        said.starts_with("GET http://api.invalid:8080/prefix/version?a=b HTTP/1.1\r\n"),
        "{said}"
    );
    assert!(said.contains(&basic()), "{said}");

    let request = http::Request::get("/exec").body(()).unwrap();
    let Upgrade::Switched { mut connection, .. } = transport.upgrade(request).await.unwrap() else {
        panic!("refused");
    };
    let mut hello = [0; 5];
    connection.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    let said = proxy.heard().await;
    assert!(said.starts_with("CONNECT api.invalid:8080 HTTP/1.1\r\n"), "{said}");
    serving.await.unwrap();
}
