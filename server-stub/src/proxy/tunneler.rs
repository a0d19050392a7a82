//! Ways to nodes that are not the network of this machine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::dialer::Dialer;
use crate::generic::health::HealthCheck;
use crate::generic::hooks::{HookContext, PostStartHook};
use crate::generic::metrics::Exposition;

/// The server is not well when its tunnels are older than this.
const LONGEST_LAG: Duration = Duration::from_secs(600);

/// A dialer that has to follow which nodes there are.
#[async_trait]
pub trait Tunneler: Dialer {
    /// Keeps tunnels to the nodes until the server has stopped, and closes them.
    async fn run(self: Arc<Self>, context: HookContext);

    /// How long ago the tunnels were last made those of the nodes.
    fn time_since_sync(&self) -> Duration;

    /// How many nodes are reached, of how many.
    fn healthy_nodes(&self) -> (usize, usize);
}

/// Starts the tunneler with the server.
pub(crate) fn hook(tunneler: Arc<dyn Tunneler>) -> PostStartHook {
    PostStartHook::new("start-ssh-tunneler", move |context| {
        let tunneler = tunneler.clone();
        async move {
            context.tasks.clone().spawn(tunneler.run(context));
            Ok(())
        }
    })
}

/// Whether the tunneler still follows the nodes.
pub(crate) fn health_check(tunneler: Arc<dyn Tunneler>) -> HealthCheck {
    HealthCheck::new("SSH Tunnel Check", move || match tunneler.time_since_sync() {
        lag if lag > LONGEST_LAG => Err(format!("Tunnel sync is taking too long: {}", lag.as_secs())),
        _ => Ok(()),
    })
}

/// Shows how old the tunnels are, under both names that kube-apiserver had for it, and how many work.
pub(super) fn show(tunneler: &dyn Tunneler, shown: &mut Exposition) {
    let seconds = tunneler.time_since_sync().as_secs();
    let help = "The time since the last successful synchronization of the SSH tunnels for proxy requests.";
    shown
        .gauge("apiserver_proxy_tunnel_sync_duration_seconds", help)
        .sample([], seconds);
    shown
        .gauge(
            "apiserver_proxy_tunnel_sync_latency_secs",
            &format!("(Deprecated) {help}"),
        )
        .sample([], seconds);
    let (healthy, all) = tunneler.healthy_nodes();
    let mut writer = shown.gauge(
        "kubewire_ssh_tunnels",
        "Nodes by whether their kubelets answer over SSH.",
    );
    writer.sample([("healthy", "true")], healthy);
    writer.sample([("healthy", "false")], all - healthy);
}
