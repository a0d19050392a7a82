//! The handle to a handler that was added.

use std::sync::{Arc, Weak};

use kubewire_client::Decode;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Core;
use super::queue::NotificationQueue;

/// A handler that was added to an informer. Dropping this changes nothing: the handler stays.
pub struct HandlerRegistration {
    synced: watch::Receiver<bool>,
    stop: CancellationToken,
    place: Box<dyn Place>,
}

/// The handler was removed, or its informer has stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handler was removed or its informer has stopped")]
pub struct HandlerRemoved;

/// How a handler stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerStats {
    /// Objects that it has still to be told about.
    pub pending: usize,
    /// Notifications that became one with a later one, because the handler was busy. No final state is among them.
    pub coalesced: u64,
    /// Calls that panicked.
    pub panics: u64,
}

impl HandlerRegistration {
    pub(super) fn new<K: Decode>(
        core: &Arc<Core<K>>,
        id: u64,
        queue: Arc<NotificationQueue<K>>,
        stop: CancellationToken,
    ) -> Self {
        let synced = queue.synced();
        let core = Arc::downgrade(core);
        Self {
            synced,
            stop,
            place: Box::new(PlaceIn { core, id, queue }),
        }
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

    /// How the handler stands.
    pub fn stats(&self) -> HandlerStats {
        self.place.stats()
    }

    /// Removes the handler: it gets no further calls, but one that has begun comes to its end.
    pub fn remove(&self) {
        self.stop.cancel();
        self.place.leave();
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

/// A handler's place in its informer, of whatever type that is.
trait Place: Send + Sync {
    fn stats(&self) -> HandlerStats;
    fn leave(&self);
}

struct PlaceIn<K: Decode> {
    core: Weak<Core<K>>,
    id: u64,
    queue: Arc<NotificationQueue<K>>,
}

impl<K: Decode> Place for PlaceIn<K> {
    fn stats(&self) -> HandlerStats {
        self.queue.stats()
    }

    fn leave(&self) {
        if let Some(core) = self.core.upgrade() {
            core.remove_handler(self.id);
        }
    }
}
