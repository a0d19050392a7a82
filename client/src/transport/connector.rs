//! Makes connections: name look-up, TCP, a proxy in between, TLS.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection as Pooled, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::proxy::{is_socks, proxy};
use super::{Connection, unbracketed};
use crate::config::{Config, ConfigError};

/// A silent peer is asked whether it is still there: a watch over HTTP/1.1 has nothing else to find out by.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
/// TLS by itself reads 4 KiB at once, which makes many system calls of a list.
const READ_BUFFER: usize = 64 << 10;

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// The way to one server, whatever certificates are in use.
pub(super) struct Route {
    server: Uri,
    /// Whom the server's certificate must be for.
    server_name: ServerName<'static>,
    proxy: Option<Intercept>,
    tcp: HttpConnector,
    timeout: Duration,
}

impl Route {
    pub(super) fn new(config: &Config, server: &Uri) -> Result<Self, ConfigError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE_TIME));
        tcp.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        Ok(Self {
            server: server.clone(),
            server_name: server_name(config, server)?,
            proxy: proxy(config, server)?,
            tcp,
            timeout: config.connect_timeout,
        })
    }

    /// True where TLS is spoken with the server or with a proxy.
    pub(super) fn has_tls(&self) -> bool {
        is_https(&self.server) || self.proxy.as_ref().is_some_and(|proxy| is_https(proxy.uri()))
    }

    /// What a proxy that forwards requests wants to see in them.
    pub(super) fn forwarding_credentials(&self) -> Option<&HeaderValue> {
        self.forwarder().and_then(Intercept::basic_auth)
    }

    /// The proxy that gets each request, where there is no TLS that it could not look into.
    fn forwarder(&self) -> Option<&Intercept> {
        let proxy = self.proxy.as_ref()?;
        let forwards = !is_https(&self.server) && !is_socks(proxy.uri());
        forwards.then_some(proxy)
    }
}

fn server_name(config: &Config, server: &Uri) -> Result<ServerName<'static>, ConfigError> {
    let (field, name) = match config.tls.server_name.as_deref() {
        Some(name) => ("tls-server-name", name),
        None => ("server", unbracketed(server.host().unwrap_or_default())),
    };
    let reason = || format!("{name:?} is neither a DNS name nor an address");
    ServerName::try_from(name.to_owned()).map_err(|_| ConfigError::invalid(field, None, reason()))
}

fn is_https(url: &Uri) -> bool {
    url.scheme() == Some(&Scheme::HTTPS)
}

/// Connects to the server of its route.
#[derive(Clone)]
pub(super) struct Connector {
    route: Arc<Route>,
    /// Offers HTTP/2, unless it must not.
    tls: Option<TlsConnector>,
    /// The same for a proxy: HTTP/1.1 only.
    proxy_tls: Option<TlsConnector>,
}

impl Connector {
    pub(super) fn new(route: Arc<Route>, tls: Option<&ClientConfig>, http1: bool) -> Self {
        let connector = |http1| {
            let mut tls = tls?.clone();
            if http1 {
                // Or the server would choose HTTP/2 while TLS is set up.
                tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            }
            Some(TlsConnector::from(Arc::new(tls)))
        };
        Self {
            tls: connector(http1),
            proxy_tls: connector(true),
            route,
        }
    }

    /// A connection that reaches the server itself, by a tunnel where there is a proxy.
    pub(super) async fn connect(&self) -> Result<Connection, BoxError> {
        Ok(Box::new(self.in_time(self.connect_to_server()).await?))
    }

    /// A connection for requests: to the server, or to the proxy that forwards them.
    async fn connect_for_requests(&self) -> Result<Stream, BoxError> {
        let Some(forwarder) = self.route.forwarder() else {
            return self.connect_to_server().await;
        };
        Ok(Stream {
            is_forwarded: true,
            ..Stream::new(self.dial_proxy(forwarder.uri()).await?)
        })
    }

    async fn in_time<T>(&self, connecting: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
        let limit = self.route.timeout;
        match tokio::time::timeout(limit, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(format!("no connection within {limit:?}").into()),
        }
    }

    async fn connect_to_server(&self) -> Result<Stream, BoxError> {
        let bytes = match &self.route.proxy {
            None => self.dial(&self.route.server).await?,
            Some(proxy) => self.tunnel(proxy).await?,
        };
        let tls = self.tls.as_ref().filter(|_| is_https(&self.route.server));
        match tls {
            Some(tls) => handshake(tls, self.route.server_name.clone(), bytes).await,
            None => Ok(Stream::new(bytes)),
        }
    }

    async fn dial(&self, url: &Uri) -> Result<Connection, BoxError> {
        let stream = self.route.tcp.clone().call(url.clone()).await?;
        Ok(Box::new(stream.into_inner()))
    }

    async fn dial_proxy(&self, url: &Uri) -> Result<Connection, BoxError> {
        let bytes = self.dial(url).await?;
        let tls = self.proxy_tls.as_ref().filter(|_| is_https(url));
        let Some(tls) = tls else { return Ok(bytes) };
        let name = ServerName::try_from(unbracketed(url.host().unwrap_or_default()).to_owned())?;
        Ok(handshake(tls, name, bytes).await?.bytes)
    }

    async fn tunnel(&self, proxy: &Intercept) -> Result<Connection, BoxError> {
        let server = with_port(&self.route.server)?;
        let dialer = ProxyDialer(self.clone());
        let stream = if is_socks(proxy.uri()) {
            let mut socks = SocksV5::new(with_port(proxy.uri())?, dialer);
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            socks.call(server).await?
        } else {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), dialer);
            if let Some(credentials) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(credentials.clone());
            }
            tunnel.call(server).await?
        };
        Ok(stream.into_inner())
    }
}

/// Sets up TLS over a connection.
async fn handshake(tls: &TlsConnector, name: ServerName<'static>, bytes: Connection) -> Result<Stream, BoxError> {
    let stream = tls.connect(name, BufReader::with_capacity(READ_BUFFER, bytes)).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Stream {
        is_http2,
        ..Stream::new(Box::new(stream))
    })
}

/// The URL with its port, be it that of its scheme.
fn with_port(url: &Uri) -> Result<Uri, http::Error> {
    let scheme = url.scheme_str().unwrap_or_default();
    let port = url.port_u16().unwrap_or(match scheme {
        "https" => 443,
        "socks5" | "socks5h" => 1080,
        _ => 80,
    });
    let authority = format!("{}:{port}", url.host().unwrap_or_default());
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query("/")
        .build()
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// All requests go to the server of the route.
    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let connecting = connector.in_time(connector.connect_for_requests());
            connecting.await.map(TokioIo::new)
        })
    }
}

/// Connects to a proxy itself.
#[derive(Clone)]
struct ProxyDialer(Connector);

impl Service<Uri> for ProxyDialer {
    type Response = TokioIo<Connection>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let connector = self.0.clone();
        Box::pin(async move { connector.dial_proxy(&proxy).await.map(TokioIo::new) })
    }
}

/// An open connection, and what the pool has to know of it.
pub(super) struct Stream {
    bytes: Connection,
    is_http2: bool,
    /// Whether a proxy takes the requests, to send them on by itself.
    is_forwarded: bool,
}

impl Stream {
    fn new(bytes: Connection) -> Self {
        Self {
            bytes,
            is_http2: false,
            is_forwarded: false,
        }
    }
}

impl Pooled for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.is_forwarded);
        if self.is_http2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.bytes.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(cx)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silent_peers_are_asked() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config::new(format!("http://{}", listener.local_addr().unwrap()));
        let server = config.base_url().unwrap();
        let mut tcp = Route::new(&config, &server).unwrap().tcp;
        let stream = tcp.call(server).await.unwrap().into_inner();
        let socket = socket2::SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_RETRIES);
        assert!(socket.tcp_nodelay().unwrap());
    }
}
