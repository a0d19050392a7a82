//! What becomes of a connection after `101 Switching Protocols`.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs the new protocols of a listener's connections; lies in the extensions of each request.
#[derive(Clone, Debug)]
pub struct Upgrades {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Upgrades {
    /// What is spawned is counted by `tasks` and ends with `stop`.
    pub fn new(tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { tasks, stop }
    }

    /// Runs a protocol until it ends or the listener stops, which joins it.
    pub fn spawn(&self, protocol: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = protocol => {}
                () = stop.cancelled() => {}
            }
        });
    }
}
