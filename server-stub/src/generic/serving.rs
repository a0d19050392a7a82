//! The listener: TCP, TLS, HTTP/1.1 and HTTP/2, and a stop that waits for every connection.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CipherSuite, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme, version};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::corked;
use super::delegation::Handler;
use super::lingering::Lingering;
use super::read_away::read_away;
use super::request::Response;
use super::serving_certificates::ServingCertificates;
use super::upgrades::Upgrades;
use crate::authentication::Connection;

/// Longest time for a TLS handshake, and for the head of an HTTP/1.1 request.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections the kernel keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// How often a client has to show that it is still there.
const HTTP2_PING: Duration = Duration::from_secs(30);
/// HTTP/2 in the choice of protocols.
const HTTP2: &[u8] = b"h2";

/// A bound port.
pub struct Serving {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    http2_max_streams: u32,
}

/// How connections are protected, and what they may carry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsSettings {
    /// Whether TLS 1.2 is refused. Default no.
    pub only_tls13: bool,
    /// The cipher suites of TLS 1.2 that may be used; those of TLS 1.3 always may. Default all.
    pub cipher_suites: Option<Vec<CipherSuite>>,
    /// Whether HTTP/2 is offered. Default yes.
    pub http2: bool,
    /// Most requests at once on an HTTP/2 connection. Default 1000.
    pub http2_max_streams: u32,
    /// Whether other processes that say so, too, may listen on the same port. Default no.
    pub port_sharing: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            only_tls13: false,
            cipher_suites: None,
            http2: true,
            http2_max_streams: 1000,
            port_sharing: false,
        }
    }
}

/// Why the port cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServingError {
    /// The address cannot be had.
    #[error("listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The settings leave nothing to use.
    #[error("set up TLS")]
    Tls(#[source] rustls::Error),
}

impl Serving {
    /// Binds `address` (port 0 takes any free port).
    ///
    /// Clients are asked for a certificate; whether it is worth anything is for authentication to say.
    pub async fn bind(
        address: SocketAddr,
        certificates: ServingCertificates,
        settings: &TlsSettings,
    ) -> Result<Self, ServingError> {
        let mut provider = ring::default_provider();
        if let Some(allowed) = &settings.cipher_suites {
            let tls13 = |suite: &rustls::SupportedCipherSuite| suite.tls13().is_some();
            provider
                .cipher_suites
                .retain(|suite| tls13(suite) || allowed.contains(&suite.suite()));
        }
        let provider = Arc::new(provider);
        let verifier = Arc::new(AnyClientCertificate::new(&provider));
        let versions: &[_] = match settings.only_tls13 {
            true => &[&version::TLS13],
            false => &[&version::TLS13, &version::TLS12],
        };
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(ServingError::Tls)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(certificates));
        if settings.http2 {
            tls.alpn_protocols.push(HTTP2.to_vec());
        }
        tls.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Self {
            listener: listen(address, settings.port_sharing)?,
            tls: Some(TlsAcceptor::from(Arc::new(tls))),
            http2_max_streams: settings.http2_max_streams,
        })
    }

    /// Binds `address` without TLS. Whoever reaches it may do everything, so it should be of the same machine only.
    pub async fn bind_insecure(address: SocketAddr) -> Result<Self, ServingError> {
        Ok(Self {
            listener: listen(address, false)?,
            tls: None,
            http2_max_streams: TlsSettings::default().http2_max_streams,
        })
    }

    /// The address that was bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets open requests finish and joins every task; on `hang_up` connections that are
    /// still open are closed. Dropping the future abandons connections to their own end.
    pub fn serve(
        self,
        handler: Arc<dyn Handler>,
        stop: CancellationToken,
        hang_up: CancellationToken,
    ) -> impl Future<Output = ()> + Send {
        // Said now: whatever begins after this call is logged after it, too.
        let address = self.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let securely = if self.tls.is_some() { "securely" } else { "insecurely" };
        tracing::info!("Serving {securely} on {address}");
        self.accept_until(stop, hang_up, handler, address)
    }

    async fn accept_until(
        self,
        stop: CancellationToken,
        hang_up: CancellationToken,
        handler: Arc<dyn Handler>,
        own_address: String,
    ) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let (tls, handler, stop) = (self.tls.clone(), handler.clone(), stop.clone());
                    let (streams, max_streams) = (tasks.clone(), self.http2_max_streams);
                    let hang_up = hang_up.clone();
                    tasks.spawn(async move {
                        tokio::select! {
                            () = serve_connection(stream, address, tls, handler, stop, streams, max_streams) => {}
                            () = hang_up.cancelled() => {}
                        }
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others have to close theirs first.
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        tracing::info!("Stopped listening on {own_address}");
        tasks.close();
        tasks.wait().await;
    }
}

fn listen(address: SocketAddr, port_sharing: bool) -> Result<TcpListener, ServingError> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(port_sharing)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| ServingError::Bind { address, source })
}

async fn serve_connection(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    handler: Arc<dyn Handler>,
    stop: CancellationToken,
    streams: TaskTracker,
    max_streams: u32,
) {
    // Without it, small watch events would wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let upgrades = Upgrades::new(streams.clone(), stop.clone());
    let streams = Tracked(streams);
    let Some(tls) = tls else {
        let service = service(Connection::insecure(address), handler, upgrades);
        return serve_http(stream, address, streams, max_streams, service, stop).await;
    };
    // Each step has a box of its own: most connections are idle for long, and keep no room for what is behind them.
    let handshake = Box::pin(tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)));
    let serving = match handshake.await {
        Ok(Ok(stream)) => {
            let session = stream.get_ref().1;
            let certificates = session.peer_certificates().unwrap_or_default();
            let certificates = certificates.iter().cloned().map(CertificateDer::into_owned).collect();
            let http2 = session.alpn_protocol() == Some(HTTP2);
            let service = service(Connection::new(address, certificates), handler, upgrades);
            match http2 {
                true => serve_http2(stream, address, streams, max_streams, service, stop),
                false => serve_http(stream, address, streams, max_streams, service, stop),
            }
        }
        Ok(Err(error)) => return tracing::debug!(%address, %error, "TLS handshake"),
        Err(_) => return tracing::debug!(%address, "TLS handshake takes too long"),
    };
    serving.await;
}

/// Hands the requests of a connection on.
fn service(
    connection: Connection,
    handler: Arc<dyn Handler>,
    upgrades: Upgrades,
) -> impl Service<
    http::Request<Incoming>,
    Response = Response,
    Error = Infallible,
    Future: Future<Output = Result<Response, Infallible>> + Send,
> + Send {
    let connection = Arc::new(connection);
    service_fn(move |request: http::Request<Incoming>| {
        let (handler, connection, upgrades) = (handler.clone(), connection.clone(), upgrades.clone());
        async move {
            let mut request = request.map(read_away);
            request.extensions_mut().insert(connection);
            request.extensions_mut().insert(upgrades);
            Ok(handler.handle(request).await)
        }
    })
}

/// HTTP/2, on which many watches can have something to say at the same time.
fn serve_http2<S>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: SocketAddr,
    streams: Tracked,
    max_streams: u32,
    service: S,
    stop: CancellationToken,
) -> BoxFuture<'static, ()>
where
    S: Service<http::Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>,
    S: Send + 'static,
{
    let (stream, uncork) = corked::cork(Lingering::new(stream, stop.clone()));
    let connection = http2::Builder::new(streams)
        .timer(TokioTimer::new())
        .max_concurrent_streams(max_streams)
        .keep_alive_interval(HTTP2_PING)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = Box::pin(connection);
    let serve = async move {
        let result = tokio::select! {
            result = uncork.drive(connection.as_mut()) => result,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                uncork.drive(connection.as_mut()).await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%address, %error, "connection");
        }
    };
    serve.boxed()
}

/// Whatever the client speaks.
fn serve_http<S>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: SocketAddr,
    streams: Tracked,
    max_streams: u32,
    service: S,
    stop: CancellationToken,
) -> BoxFuture<'static, ()>
where
    S: Service<http::Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>,
    S: Send + 'static,
{
    let mut http = auto::Builder::new(streams);
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_TIMEOUT);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(max_streams)
        .keep_alive_interval(HTTP2_PING);
    let stream = Lingering::new(stream, stop.clone());
    let serve = async move {
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%address, %error, "connection");
        }
    };
    serve.boxed()
}

/// Spawns the tasks of HTTP/2 streams where they are counted.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Takes any client certificate whose key the client has.
#[derive(Debug)]
struct AnyClientCertificate(WebPkiSupportedAlgorithms);

impl AnyClientCertificate {
    fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ClientCertVerifier for AnyClientCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
