//! Connections for the pool.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::dialer::{Dialer, Stream, StreamWith};
use super::tls::ProxyTls;

/// Longest time to agree on TLS, as Go's transport takes.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a connection for a URL.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) tls: ProxyTls,
    /// Counts what was opened.
    pub(super) opened: Arc<AtomicU64>,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<ProxyStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&url).await.map(TokioIo::new) })
    }
}

impl Connector {
    async fn connect(&self, url: &Uri) -> io::Result<ProxyStream> {
        let (host, port) = host_and_port(url)?;
        let plain = self.dialer.dial(host, port).await?;
        let stream = if url.scheme() == Some(&Scheme::HTTPS) {
            let name = match &self.tls.server_name {
                Some(name) => name.clone(),
                None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
            };
            let agreeing = TlsConnector::from(self.tls.config.clone()).connect(name, plain);
            let agreed = tokio::time::timeout(TLS_TIMEOUT, agreeing).await;
            let stream = agreed.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "TLS handshake timeout"))??;
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            ProxyStream {
                stream: Box::new(stream),
                with: Agreed { is_http2 },
            }
        } else {
            ProxyStream {
                stream: plain,
                with: Agreed { is_http2: false },
            }
        };
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(stream)
    }
}

fn host_and_port(url: &Uri) -> io::Result<(&str, u16)> {
    let host = url.host().ok_or_else(|| io::Error::other("no host in the URL"))?;
    let default = if url.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host, url.port_u16().unwrap_or(default)))
}

/// An open connection, plain or under TLS, and what was agreed on.
pub(super) type ProxyStream = StreamWith<Box<dyn Stream>, Agreed>;

/// What the two sides of a connection agreed on.
pub(super) struct Agreed {
    is_http2: bool,
}

impl Connection for ProxyStream {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.with.is_http2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}
