//! HTTP clients, rebuilt when certificates change and multiplied when one connection is full.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::Instant;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::connector::{Connector, Route};
use crate::config::credentials::REREAD_AFTER;
use crate::config::tls::{Identity, TlsMaterial};
use crate::config::{Config, ConfigError, TlsOptions};
use crate::rest::ClientMetrics;

/// Requests under way at once over one connection. kube-apiserver allows 100 streams; one more would wait, perhaps
/// on watches that never end.
const STREAMS_PER_CONNECTION: usize = 90;
/// HTTP/2 flow control windows: wide enough that a large list does not wait for window updates.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// A connection that answers no ping for so long is dead.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// How long an HTTP/1.1 connection waits for its next request, as in Go's transport.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Sends requests over connections of its own.
pub(super) type HttpClient = Client<Connector, Full<Bytes>>;

/// Held while a request is under way, its body included.
pub(super) type Lease = Arc<()>;

pub(super) struct Pool {
    tls: TlsOptions,
    route: Arc<Route>,
    http1: bool,
    metrics: Option<Arc<dyn ClientMetrics>>,
    state: Mutex<State>,
}

struct State {
    /// What the files held when last looked at.
    material: TlsMaterial,
    looked_at: Instant,
    /// What the clients were built with: the files' content, or a credential plugin's certificate in its place.
    built_with: TlsMaterial,
    tls_config: Option<rustls::ClientConfig>,
    clients: Vec<(HttpClient, Lease)>,
}

impl State {
    /// Tells until when the client certificate in use is valid.
    fn tell_expiry(&self, metrics: Option<&dyn ClientMetrics>) {
        let identity = self.built_with.identity.as_ref().filter(|_| self.tls_config.is_some());
        if let (Some(metrics), Some(identity)) = (metrics, identity)
            && let Some(expiry) = expiry(&identity.certificate)
        {
            metrics.client_certificate_expires(expiry);
        }
    }
}

/// Until when the first certificate of a PEM text is valid.
fn expiry(pem: &[u8]) -> Option<Timestamp> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

impl Pool {
    /// Reads the certificates, so that mistakes show at once.
    pub(super) fn new(config: &Config, route: Route) -> Result<Self, ConfigError> {
        let material = config.tls.material()?;
        let tls_config = match route.has_tls() {
            true => Some(config.tls.client_config(&material)?),
            false => None,
        };
        let pool = Self {
            tls: config.tls.clone(),
            route: Arc::new(route),
            http1: config.http1,
            metrics: config.metrics.clone(),
            state: Mutex::new(State {
                built_with: material.clone(),
                material,
                looked_at: Instant::now(),
                tls_config,
                clients: Vec::new(),
            }),
        };
        pool.state.lock().tell_expiry(pool.metrics.as_deref());
        Ok(pool)
    }

    /// A client that has room for one more request, connecting with `identity` where there is one.
    pub(super) async fn client(&self, identity: Option<&Arc<Identity>>) -> Result<(HttpClient, Lease), ConfigError> {
        self.reload().await;
        let mut state = self.state.lock();
        let state = &mut *state;
        self.renew(state, identity)?;

        let free = |(_, lease): &&(HttpClient, Lease)| Lease::strong_count(lease) <= STREAMS_PER_CONNECTION;
        if let Some((client, lease)) = state.clients.iter().find(free) {
            return Ok((client.clone(), lease.clone()));
        }
        let client = self.build(Connector::new(
            self.route.clone(),
            state.tls_config.as_ref(),
            self.http1,
        ));
        let lease = Lease::default();
        state.clients.push((client.clone(), lease.clone()));
        Ok((client, lease))
    }

    /// Makes HTTP/1.1 connections, for requests that change the protocol: HTTP/2 cannot.
    pub(super) async fn http1_connector(&self, identity: Option<&Arc<Identity>>) -> Result<Connector, ConfigError> {
        self.reload().await;
        let mut state = self.state.lock();
        self.renew(&mut state, identity)?;
        Ok(Connector::new(self.route.clone(), state.tls_config.as_ref(), true))
    }

    /// Leaves the connections that were made with other certificates to the requests under way on them.
    fn renew(&self, state: &mut State, identity: Option<&Arc<Identity>>) -> Result<(), ConfigError> {
        if state.tls_config.is_none() {
            return Ok(());
        }
        let identity = identity.or(state.material.identity.as_ref());
        if state.built_with.ca == state.material.ca && state.built_with.identity.as_ref() == identity {
            return Ok(());
        }
        let wanted = TlsMaterial {
            ca: state.material.ca.clone(),
            identity: identity.cloned(),
        };
        state.tls_config = Some(self.tls.client_config(&wanted)?);
        state.built_with = wanted;
        state.clients.clear();
        state.tell_expiry(self.metrics.as_deref());
        Ok(())
    }

    fn build(&self, connector: Connector) -> HttpClient {
        Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .build(connector)
    }

    /// Looks at the certificate files once a minute. A file that cannot be used now, perhaps because it is being
    /// written, changes nothing.
    async fn reload(&self) {
        if !self.tls.has_files() {
            return;
        }
        {
            let mut state = self.state.lock();
            if state.looked_at.elapsed() < REREAD_AFTER {
                return;
            }
            state.looked_at = Instant::now();
        }
        let tls = self.tls.clone();
        let read = tokio::task::spawn_blocking(move || {
            let material = tls.material()?;
            tls.client_config(&material)?;
            Ok::<_, ConfigError>(material)
        });
        match read.await {
            Ok(Ok(material)) => {
                let mut state = self.state.lock();
                // What was built with is recognised by being the very same.
                if material != state.material {
                    state.material = material;
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "keeping the certificates read before"),
            // The runtime is shutting down.
            Err(_) => {}
        }
    }
}
