//! One node: where it is, and the connection to it that is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::uri::Scheme;
use k8s_openapi::api::core::v1 as core;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Sessions};
use super::login::SshLogin;
use crate::generic::request::empty;
use crate::proxy::{ProxyTls, ProxyTransport, server_url};

/// How often a kubelet is asked for its health.
const CHECK_PERIOD: Duration = Duration::from_secs(15);

/// How soon a tunnel that broke off is made again.
const RETRY: Duration = Duration::from_millis(500);

/// Longest time until a kubelet has said how it is.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    name: String,
    /// Where its SSH server is.
    pub(super) address: String,
    /// All that it is called.
    addresses: Vec<String>,
    kubelet_port: u16,
}

impl Place {
    /// The place of a node that has an address for others, or at least one within the cluster.
    pub(super) fn of(node: &core::Node, default_kubelet_port: u16) -> Option<Self> {
        let status = node.status.as_ref()?;
        let addresses = status.addresses.as_deref().unwrap_or_default();
        let of_type = |wanted: &str| addresses.iter().find(|address| address.type_ == wanted);
        let address = of_type("ExternalIP").or_else(|| of_type("InternalIP"))?;
        let endpoints = status.daemon_endpoints.as_ref();
        let port = endpoints.and_then(|endpoints| endpoints.kubelet_endpoint.as_ref());
        let port = port.and_then(|endpoint| u16::try_from(endpoint.port).ok());
        Some(Self {
            name: node.metadata.name.clone().unwrap_or_default(),
            address: address.address.clone(),
            addresses: addresses.iter().map(|address| address.address.clone()).collect(),
            kubelet_port: port.filter(|port| *port > 0).unwrap_or(default_kubelet_port),
        })
    }

    /// Whether a host is this node.
    pub(super) fn is(&self, host: &str) -> bool {
        self.addresses.iter().any(|address| address == host)
    }
}

/// A node with its tunnel.
pub(super) struct Node {
    pub(super) place: Place,
    /// Cancelled when the cluster has it no more.
    pub(super) gone: CancellationToken,
    healthy: AtomicBool,
}

/// The connection that is kept, and requests through it.
struct Tunnel {
    connection: Arc<Connection>,
    transport: ProxyTransport,
}

impl Node {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            gone: CancellationToken::new(),
            // Until it is known better.
            healthy: AtomicBool::new(true),
        }
    }

    /// Whether its kubelet answered when it was last asked.
    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Keeps a tunnel open until the node is gone.
    pub(super) async fn keep(&self, login: &SshLogin, sessions: &Sessions, tls: &ProxyTls) {
        let keep = async {
            let mut tunnel = None;
            loop {
                self.check(&mut tunnel, login, sessions, tls).await;
                let closed = async {
                    match &tunnel {
                        Some(tunnel) => tunnel.connection.closed().await,
                        None => std::future::pending().await,
                    }
                };
                if tokio::time::timeout(CHECK_PERIOD, closed).await.is_ok() {
                    tunnel = None;
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
        self.gone.run_until_cancelled(keep).await;
    }

    /// Asks the kubelet for its health, over a new tunnel if there is none or if it fails for the first time.
    async fn check(&self, tunnel: &mut Option<Tunnel>, login: &SshLogin, sessions: &Sessions, tls: &ProxyTls) {
        let mut result = match tunnel {
            Some(tunnel) => self.ask(tunnel).await,
            None => Err(String::new()),
        };
        if result.is_err() && (tunnel.is_none() || self.is_healthy()) {
            *tunnel = None;
            result = match login.connect(&self.place.address, sessions).await {
                Ok(connection) => {
                    let connection = Arc::new(connection);
                    let transport = ProxyTransport::new(connection.clone(), tls.clone());
                    self.ask(tunnel.insert(Tunnel { connection, transport })).await
                }
                Err(error) => Err(error.to_string()),
            };
        }
        let node = &self.place.name;
        match (self.healthy.swap(result.is_ok(), Ordering::Relaxed), result) {
            (_, Ok(())) => tracing::debug!(node, "the kubelet is well, as seen through the SSH tunnel"),
            (true, Err(error)) => tracing::warn!(node, error, "the SSH tunnel to the node does not work"),
            (false, Err(error)) => tracing::debug!(node, error, "the SSH tunnel to the node still does not work"),
        }
    }

    /// Any answer of the kubelet will do that is not about a failure of its own: it may want to know who asks.
    async fn ask(&self, tunnel: &Tunnel) -> Result<(), String> {
        let url = server_url(Scheme::HTTPS, "127.0.0.1", self.place.kubelet_port, "/healthz");
        let mut request = http::Request::new(empty());
        *request.uri_mut() = url.map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(HEALTH_TIMEOUT, tunnel.transport.send(request, false)).await;
        let answer = answer.map_err(|_| "the kubelet does not answer".to_owned())?;
        match answer.map_err(|error| error.to_string())?.status() {
            status if status.is_server_error() => Err(format!("the kubelet's health check answers {status}")),
            _ => Ok(()),
        }
    }
}
