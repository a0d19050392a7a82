//! The moments in a server's life that others wait for (`k8s.io/apiserver/pkg/server/lifecycle_signals.go`).

use tokio_util::sync::CancellationToken;

/// Signals that are given at most once, in this order. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct LifecycleSignals {
    /// All post-start hooks are through: `/readyz` says ok.
    pub has_been_ready: CancellationToken,
    /// Somebody asked the server to stop: `/readyz` fails, watches end, controllers stop.
    pub shutdown_initiated: CancellationToken,
    /// The last connection is closed.
    pub in_flight_requests_drained: CancellationToken,
}
