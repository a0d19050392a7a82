//! Pooled connections to other servers.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connector::Connector;
use super::dialer::Dialer;
use super::tls::ProxyTls;
use crate::generic::request::{Request, RequestBody};

/// How long a connection waits for its next request, as in Go's transport.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Sends requests to other servers over connections that stay open.
///
/// Clones share the connections. Those of upgrades are never shared.
#[derive(Clone)]
pub struct ProxyTransport {
    pooled: Client<Connector, RequestBody>,
    upgrading: Client<Connector, RequestBody>,
    opened: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
}

/// Why the other server gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It cannot be reached, or hung up.
    #[error("error trying to reach service: {0}")]
    Unreachable(String),
    /// The client's connection cannot be upgraded.
    #[error("unable to upgrade connection: {0}")]
    Upgrade(&'static str),
    /// The other side goes on in the same protocol.
    #[error("invalid upgrade response: status code {0}")]
    NotUpgraded(u16),
    /// The URL of the other side makes no sense.
    #[error("no URL of the other side: {0}")]
    Url(#[from] http::Error),
}

impl ProxyTransport {
    /// Connects by `dialer`; `tls` is for URLs with `https`.
    pub fn new(dialer: Arc<dyn Dialer>, tls: ProxyTls) -> Self {
        let opened = Arc::new(AtomicU64::new(0));
        let client = |tls: ProxyTls| {
            let connector = Connector {
                dialer: dialer.clone(),
                tls,
                opened: opened.clone(),
            };
            let mut builder = Client::builder(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_TIMEOUT)
                .http2_keep_alive_interval(Duration::from_secs(30))
                .http2_adaptive_window(true);
            builder.build(connector)
        };
        Self {
            upgrading: client(tls.without_http2()),
            pooled: client(tls),
            opened,
            sent: Arc::default(),
        }
    }

    /// Sends a request; its URL is complete. Dropping the future or the answer's body abandons the request.
    pub(super) async fn send(&self, request: Request, upgrade: bool) -> Result<http::Response<Incoming>, ProxyError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let client = if upgrade { &self.upgrading } else { &self.pooled };
        let answer = client.request(request).await;
        answer.map_err(|error| ProxyError::Unreachable(innermost(&error)))
    }

    /// How many requests were sent.
    pub fn requests_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many connections were opened for them.
    pub fn connections_opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

/// What lies at the bottom of an error: the outer ones say that something about a connection failed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
