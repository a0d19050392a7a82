//! Tunnels to all nodes of the cluster.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{FuturesUnordered, StreamExt};
use k8s_openapi::api::core::v1 as core;
use kubewire_informers::{EventHandlerFuncs, Lister};
use parking_lot::RwLock;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connection::Sessions;
use super::login::{SshError, SshLogin};
use super::node::{Node, Place};
use crate::generic::hooks::HookContext;
use crate::proxy::dialer::{Dialer, Stream};
use crate::proxy::{ProxyTls, Tunneler};

/// How often it is made sure that the tunnels are those of the nodes.
const SYNC_PERIOD: Duration = Duration::from_secs(15);

/// How many nodes are tried for something that any node may reach.
const DIAL_ATTEMPTS: usize = 3;

/// Dials through the SSH servers of nodes: a node through its own, anything else through any.
pub struct SshTunneler {
    login: SshLogin,
    tls: ProxyTls,
    kubelet_port: u16,
    nodes: RwLock<Vec<Arc<Node>>>,
    next: AtomicUsize,
    sessions: Sessions,
    synced: RwLock<Instant>,
}

impl SshTunneler {
    /// No tunnel is open yet. Kubelets are at `kubelet_port` unless their nodes say otherwise, and are asked for their
    /// health by `tls`.
    pub fn new(login: SshLogin, tls: ProxyTls, kubelet_port: u16) -> Self {
        Self {
            login,
            tls,
            kubelet_port,
            nodes: RwLock::default(),
            next: AtomicUsize::new(0),
            sessions: Sessions::default(),
            synced: RwLock::new(Instant::now()),
        }
    }

    /// Takes over which nodes there are; returns those that have not been known.
    fn follow(&self, nodes: &Lister<core::Node>) -> Vec<Arc<Node>> {
        let decoded = nodes.list().into_iter().filter_map(|node| node.decode().ok());
        let places = decoded.filter_map(|node| Place::of(&node, self.kubelet_port));
        let mut known = self.nodes.write();
        let (mut all, mut new) = (Vec::new(), Vec::new());
        for place in places {
            match known.iter().position(|node| node.place == place) {
                Some(index) => all.push(known.swap_remove(index)),
                None => new.push(Arc::new(Node::new(place))),
            }
        }
        for node in known.drain(..) {
            node.gone.cancel();
        }
        all.extend(new.iter().cloned());
        *known = all;
        *self.synced.write() = Instant::now();
        new
    }

    /// Nodes to dial a host through, the best first.
    fn candidates(&self, host: &str) -> Vec<Arc<Node>> {
        let mut nodes = self.nodes.read().clone();
        if !nodes.is_empty() {
            let start = self.next.fetch_add(1, Ordering::Relaxed) % nodes.len();
            nodes.rotate_left(start);
        }
        nodes.sort_by_key(|node| (!node.place.is(host), !node.is_healthy()));
        nodes.truncate(DIAL_ATTEMPTS);
        nodes
    }

    async fn dial_through(&self, node: &Node, host: &str, port: u16) -> Result<Box<dyn Stream>, SshError> {
        let connection = self.login.connect(&node.place.address, &self.sessions).await?;
        connection.into_stream(host, port).await
    }
}

#[async_trait]
impl Dialer for SshTunneler {
    async fn dial(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        let mut why = String::new();
        for node in self.candidates(host) {
            match self.dial_through(&node, host, port).await {
                Ok(stream) => return Ok(stream),
                // The node was reached; what lies behind it was not.
                Err(error @ SshError::Rejected(_)) => return Err(io::Error::other(error.to_string())),
                Err(error) => why = format!(" ({error})"),
            }
        }
        let user = self.login.user();
        Err(io::Error::other(format!(
            "No SSH tunnels currently open. Were the targets able to accept an ssh-key for user {user:?}?{why}"
        )))
    }
}

#[async_trait]
impl Tunneler for SshTunneler {
    async fn run(self: Arc<Self>, context: HookContext) {
        let informer = context.informers.informer::<core::Node>();
        let changed = Arc::new(Notify::new());
        let [added, updated, deleted] = [(); 3].map(|()| changed.clone());
        let handler = EventHandlerFuncs::new()
            .on_add(move |_, _| added.notify_one())
            .on_update(move |_, _| updated.notify_one())
            .on_delete(move |_, _| deleted.notify_one());
        if let Err(error) = informer.add_handler(handler) {
            return tracing::debug!(%error, "the server stops before its SSH tunneler has started");
        }
        informer.start();
        let nodes = informer.lister();
        let keep_up = async {
            let mut period = tokio::time::interval(SYNC_PERIOD);
            let mut keepers = FuturesUnordered::new();
            loop {
                tokio::select! {
                    () = changed.notified() => {}
                    _ = period.tick() => {}
                    Some(()) = keepers.next() => {}
                }
                for node in self.follow(&nodes) {
                    let tunneler = &self;
                    keepers.push(async move { node.keep(&tunneler.login, &tunneler.sessions, &tunneler.tls).await });
                }
            }
        };
        // Requests that are under way when the server is asked to stop still need their tunnels.
        context
            .lifecycle
            .http_server_stopped_listening
            .run_until_cancelled(keep_up)
            .await;
        self.nodes.write().clear();
        self.sessions.end().await;
    }

    fn time_since_sync(&self) -> Duration {
        self.synced.read().elapsed()
    }

    fn healthy_nodes(&self) -> (usize, usize) {
        let nodes = self.nodes.read();
        let healthy = nodes.iter().filter(|node| node.is_healthy()).count();
        (healthy, nodes.len())
    }
}
