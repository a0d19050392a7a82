//! The listener: TCP, TLS, HTTP/1.1 and HTTP/2, and a stop that waits for every connection.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::delegation::Handler;
use super::upgrades::Upgrades;
use crate::authentication::Connection;

/// Longest time for a TLS handshake, and for the head of an HTTP/1.1 request.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A bound port with its certificate.
pub struct SecureServing {
    listener: TcpListener,
    tls: TlsAcceptor,
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
        source: std::io::Error,
    },
    /// The certificate or the key is not PEM.
    #[error("read the serving certificate and its key")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// TLS does not take the certificate.
    #[error("use the serving certificate")]
    Tls(#[source] rustls::Error),
}

impl SecureServing {
    /// Binds `address` (port 0 takes any free port) with a certificate chain and key in PEM.
    ///
    /// Clients are asked for a certificate; whether it is worth anything is for authentication to say.
    pub async fn bind(address: SocketAddr, certificate_pem: &str, key_pem: &str) -> Result<Self, ServingError> {
        let certificates = CertificateDer::pem_slice_iter(certificate_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(ServingError::Pem)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(ServingError::Pem)?;
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(AnyClientCertificate::new(&provider));
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ServingError::Tls)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates, key)
            .map_err(ServingError::Tls)?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let failed = |source| ServingError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self {
            listener,
            tls: TlsAcceptor::from(Arc::new(tls)),
        })
    }

    /// The address that was bound.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets open requests finish and joins every task; on `hang_up` connections that are
    /// still open are closed. Dropping the future abandons connections to their own end.
    pub async fn serve(self, handler: Arc<dyn Handler>, stop: CancellationToken, hang_up: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let (tls, handler, stop) = (self.tls.clone(), handler.clone(), stop.clone());
                    let (streams, hang_up) = (tasks.clone(), hang_up.clone());
                    tasks.spawn(async move {
                        tokio::select! {
                            () = serve_connection(stream, address, tls, handler, stop, streams) => {}
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
        tasks.close();
        tasks.wait().await;
    }
}

async fn serve_connection(
    stream: TcpStream,
    address: SocketAddr,
    tls: TlsAcceptor,
    handler: Arc<dyn Handler>,
    stop: CancellationToken,
    streams: TaskTracker,
) {
    // Without it, small watch events would wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%address, %error, "TLS handshake"),
        Err(_) => return tracing::debug!(%address, "TLS handshake takes too long"),
    };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificates = certificates.iter().cloned().map(CertificateDer::into_owned).collect();
    let connection = Arc::new(Connection::new(address, certificates));
    let upgrades = Upgrades::new(streams.clone(), stop.clone());
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (handler, connection, upgrades) = (handler.clone(), connection.clone(), upgrades.clone());
        async move {
            let mut request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            request.extensions_mut().insert(connection);
            request.extensions_mut().insert(upgrades);
            Ok::<_, Infallible>(handler.handle(request).await)
        }
    });
    let builder = http_builder(Tracked(streams));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
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
}

fn http_builder(executor: Tracked) -> auto::Builder<Tracked> {
    let mut builder = auto::Builder::new(executor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1000)
        .keep_alive_interval(Duration::from_secs(30));
    builder
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
