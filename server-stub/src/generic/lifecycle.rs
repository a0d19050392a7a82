//! The moments in a server's life that others wait for (`k8s.io/apiserver/pkg/server/lifecycle_signals.go`).

use tokio_util::sync::CancellationToken;

/// Signals that are given at most once, in this order; the log names each. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct LifecycleSignals {
    /// All post-start hooks are through: `/readyz` says ok.
    pub has_been_ready: CancellationToken,
    /// Somebody asked the server to stop: `/readyz` fails, controllers stop.
    pub shutdown_initiated: CancellationToken,
    /// Load balancers have had the time to notice (`--shutdown-delay-duration`).
    pub after_shutdown_delay_duration: CancellationToken,
    /// All pre-shutdown hooks are through.
    pub pre_shutdown_hooks_stopped: CancellationToken,
    /// No connection and no request is taken any more; watches end.
    pub not_accepting_new_request: CancellationToken,
    /// The last request has its answer and the last connection is closed.
    pub in_flight_requests_drained: CancellationToken,
    /// The port is closed.
    pub http_server_stopped_listening: CancellationToken,
}

/// Gives a signal.
pub(crate) fn signal(token: &CancellationToken, name: &str) {
    if !token.is_cancelled() {
        tracing::info!(signal = name, "lifecycle");
        token.cancel();
    }
}
