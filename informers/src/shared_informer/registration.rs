//! The handle to a handler that was added.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A handler that was added to an informer. Dropping this changes nothing: the handler stays.
pub struct HandlerRegistration {
    synced: watch::Receiver<bool>,
    stop: CancellationToken,
    remove: Box<dyn Fn() + Send + Sync>,
}

/// The handler was removed, or its informer has stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handler was removed or its informer has stopped")]
pub struct HandlerRemoved;

impl HandlerRegistration {
    pub(super) fn new(
        synced: watch::Receiver<bool>,
        stop: CancellationToken,
        remove: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self { synced, stop, remove }
    }

    /// True once the handler has been told of everything that was there when it began, and has handled it.
    pub fn has_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits for [`has_synced`](HandlerRegistration::has_synced). Cancel safe.
    pub async fn wait_for_sync(&self) -> Result<(), HandlerRemoved> {
        let mut synced = self.synced.clone();
        let wait = self.stop.run_until_cancelled(synced.wait_for(|synced| *synced));
        match wait.await {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(HandlerRemoved),
        }
    }

    /// Removes the handler: it gets no further calls, but one that has begun comes to its end.
    pub fn remove(&self) {
        (self.remove)();
        self.stop.cancel();
    }
}

impl std::fmt::Debug for HandlerRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandlerRegistration")
            .field("synced", &self.has_synced())
            .field("removed", &self.stop.is_cancelled())
            .finish_non_exhaustive()
    }
}
