//! HTTP clients, rebuilt when certificates change and multiplied when one connection is full.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Proxy, Url, redirect};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::Instant;
use x509_parser::prelude::{FromDer, X509Certificate};

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

/// Held while a request is under way, its body included.
pub(super) type Lease = Arc<()>;

pub(super) struct Pool {
    tls: TlsOptions,
    settings: Settings,
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
    clients: Vec<(reqwest::Client, Lease)>,
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
    /// Reads the certificates and builds the first client, so that mistakes show at once.
    pub(super) fn new(config: &Config, base: &Url) -> Result<Self, ConfigError> {
        let material = config.tls.material()?;
        let tls_config = match base.scheme() {
            "https" => Some(config.tls.client_config(&material)?),
            _ => None,
        };
        let settings = Settings::new(config, base)?;
        let first = settings.build(tls_config.clone(), settings.http1)?;
        let pool = Self {
            tls: config.tls.clone(),
            settings,
            metrics: config.metrics.clone(),
            state: Mutex::new(State {
                built_with: material.clone(),
                material,
                looked_at: Instant::now(),
                tls_config,
                clients: vec![(first, Lease::default())],
            }),
        };
        pool.state.lock().tell_expiry(pool.metrics.as_deref());
        Ok(pool)
    }

    /// A client that has room for one more request, connecting with `identity` where there is one.
    pub(super) async fn client(
        &self,
        identity: Option<&Arc<Identity>>,
    ) -> Result<(reqwest::Client, Lease), ConfigError> {
        self.reload().await;
        let mut state = self.state.lock();
        let state = &mut *state;

        let mut wanted = state.material.clone();
        wanted.identity = identity.cloned().or(wanted.identity);
        if state.tls_config.is_some() && wanted != state.built_with {
            // Requests under way keep their connections; new ones must show the new certificate.
            state.tls_config = Some(self.tls.client_config(&wanted)?);
            state.built_with = wanted;
            state.clients.clear();
            state.tell_expiry(self.metrics.as_deref());
        }
        let free = |(_, lease): &&(reqwest::Client, Lease)| Lease::strong_count(lease) <= STREAMS_PER_CONNECTION;
        if let Some((client, lease)) = state.clients.iter().find(free) {
            return Ok((client.clone(), lease.clone()));
        }
        let client = self.settings.build(state.tls_config.clone(), self.settings.http1)?;
        let lease = Lease::default();
        state.clients.push((client.clone(), lease.clone()));
        Ok((client, lease))
    }

    /// A client of one HTTP/1.1 connection, for a request that changes the protocol: HTTP/2 cannot.
    pub(super) async fn upgrade_client(
        &self,
        identity: Option<&Arc<Identity>>,
    ) -> Result<reqwest::Client, ConfigError> {
        self.client(identity).await?;
        let tls_config = self.state.lock().tls_config.clone();
        self.settings.build(tls_config, true)
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

/// What every client is built with.
struct Settings {
    provider: Arc<CryptoProvider>,
    user_agent: String,
    http1: bool,
    connect_timeout: Duration,
    proxy: Option<Proxy>,
    /// Whether the environment may name a proxy.
    proxy_from_environment: bool,
    /// Where to connect to where the URL holds the certificate's name instead.
    address: Option<(String, u16)>,
}

impl Settings {
    fn new(config: &Config, base: &Url) -> Result<Self, ConfigError> {
        let host = base.host_str().unwrap_or_default();
        let address = match (config.host_alias(), base.scheme()) {
            (Some(_), "https") => Some((
                unbracketed(host).to_owned(),
                base.port_or_known_default().unwrap_or(443),
            )),
            _ => None,
        };
        let proxy = config.proxy.as_ref().map(|url| proxy(url.expose())).transpose()?;
        Ok(Self {
            provider: config.tls.provider(),
            user_agent: config.user_agent.clone(),
            http1: config.http1,
            connect_timeout: config.connect_timeout,
            proxy,
            proxy_from_environment: address.is_none() && !is_loopback(host),
            address,
        })
    }

    fn build(&self, tls_config: Option<rustls::ClientConfig>, http1: bool) -> Result<reqwest::Client, ConfigError> {
        // reqwest insists on a TLS configuration even for plain http.
        let mut tls_config = match tls_config {
            Some(config) => config,
            None => no_tls(self.provider.clone())?,
        };
        if http1 {
            // Or the server would choose HTTP/2 while TLS is set up.
            tls_config.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config)
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            // The API server redirects nothing that this client asks for, and credentials must not follow elsewhere.
            .redirect(redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true);
        if http1 {
            builder = builder.http1_only();
        }
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.clone());
        } else if !self.proxy_from_environment {
            builder = builder.no_proxy();
        }
        if let Some(address) = &self.address {
            builder = builder.dns_resolver(Arc::new(Pinned(address.clone())));
        }
        builder
            .build()
            .map_err(|error| ConfigError::setup("the HTTP client", error.without_url()))
    }
}

fn no_tls(provider: Arc<CryptoProvider>) -> Result<rustls::ClientConfig, ConfigError> {
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::setup("TLS", error))?;
    Ok(builder
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

/// Messages leave the URL out: it may hold a password.
fn proxy(url: &str) -> Result<Proxy, ConfigError> {
    let invalid = |reason: &str| ConfigError::invalid("proxy-url", None, reason);
    let parsed = Url::parse(url).map_err(|error| invalid(&format!("is not a URL: {error}")))?;
    // Like client-go, names are resolved by the SOCKS proxy.
    let url = match parsed.scheme() {
        "http" | "https" => url.to_owned(),
        "socks5" => url.replacen("socks5://", "socks5h://", 1),
        "socks5h" => url.to_owned(),
        _ => return Err(invalid("must be an http, https or socks5 URL")),
    };
    Proxy::all(url).map_err(|_| invalid("cannot be used"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || unbracketed(host).parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Resolves every name to one server: the URL's host is then only the name that its certificate must carry.
struct Pinned((String, u16));

impl Resolve for Pinned {
    fn resolve(&self, _name: Name) -> Resolving {
        let (host, port) = self.0.clone();
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host, port)).await?.collect::<Vec<_>>();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
