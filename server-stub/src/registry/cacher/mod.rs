//! The watch cache of one resource: its newest state and its last changes, kept up to date by one watch on storage.
//!
//! Readers take what they need under a short lock and share the objects. A watch reads the changes at its own pace;
//! one that falls behind further than the cache remembers is ended. One that starts too far back gets 410.

mod feed;
mod state;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::watch as progress;

use self::state::State;
use super::codec::ObjectCodec;
use super::object::StoredObject;
use crate::status::ApiError;
use crate::storage::Storage;

pub(crate) use self::state::CacheStats;
pub(super) use self::state::Listed;
pub(super) use self::watch::{Selection, WatchStart, watch};

/// How long a read waits for a version that the cache does not have yet.
const FRESHNESS_TIMEOUT: Duration = Duration::from_secs(3);

/// The watch cache. Dropping it ends its watches.
pub(super) struct Cacher {
    shared: Arc<Shared>,
    feed: tokio::task::AbortHandle,
}

struct Shared {
    storage: Arc<dyn Storage>,
    codec: Arc<dyn ObjectCodec>,
    /// What all keys of the resource start with.
    prefix: String,
    state: RwLock<State>,
    /// The revision up to which the cache is complete; 0 before the first list.
    revision: progress::Sender<u64>,
}

impl Cacher {
    /// Starts the cache; must be called inside of a Tokio runtime.
    pub(super) fn start(
        storage: Arc<dyn Storage>,
        codec: Arc<dyn ObjectCodec>,
        prefix: String,
        history: usize,
    ) -> Self {
        let shared = Arc::new(Shared {
            storage,
            codec,
            prefix,
            state: RwLock::new(State::new(history)),
            revision: progress::Sender::new(0),
        });
        let feed = tokio::spawn(feed::run(shared.clone())).abort_handle();
        Self { shared, feed }
    }

    /// Waits until the cache has everything up to a version.
    pub(super) async fn wait_until(&self, revision: u64) -> Result<(), ApiError> {
        self.shared.wait_until(revision).await
    }

    /// Waits until the cache has everything that was there when the call was made.
    pub(super) async fn wait_most_recent(&self) -> Result<(), ApiError> {
        self.shared.wait_most_recent().await
    }

    /// The first objects under a prefix.
    pub(super) fn list(&self, prefix: &str, most: usize) -> Listed {
        self.shared.state.read().list(prefix, most)
    }

    /// The objects from one key to another.
    pub(super) fn between(&self, first: &str, last: &str) -> Vec<Arc<StoredObject>> {
        self.shared.state.read().between(first, last)
    }

    /// What the cache is like.
    pub(super) fn stats(&self) -> CacheStats {
        self.shared.state.read().stats()
    }

    /// Waits until the cache was filled for the first time.
    pub(super) async fn wait_until_ready(&self) {
        // The sender lives as long as the cache.
        let _ = self
            .shared
            .revision
            .subscribe()
            .wait_for(|revision| *revision > 0)
            .await;
    }

    /// One object, and the version of that state.
    pub(super) fn get(&self, key: &str) -> (Option<Arc<StoredObject>>, u64) {
        self.shared.state.read().get(key)
    }
}

impl Shared {
    async fn wait_until(&self, revision: u64) -> Result<(), ApiError> {
        if *self.revision.borrow() >= revision.max(1) {
            return Ok(());
        }
        let mut progress = self.revision.subscribe();
        let fresh = progress.wait_for(|current| *current >= revision.max(1));
        let in_time = tokio::time::timeout(FRESHNESS_TIMEOUT, fresh).await.is_ok();
        let known = *self.revision.borrow();
        match (in_time, known) {
            (true, _) => Ok(()),
            (_, 0) => Err(ApiError::too_many_requests("storage is (re)initializing", 1)),
            _ => {
                // What changed elsewhere counts as well.
                let current = self.storage.current_revision().await.unwrap_or(known);
                Err(ApiError::too_large_resource_version(revision, current))
            }
        }
    }

    async fn wait_most_recent(&self) -> Result<(), ApiError> {
        let revision = self.storage.current_revision().await.map_err(ApiError::internal)?;
        if *self.revision.borrow() < revision {
            let asked = self.storage.request_progress(&self.prefix).await;
            asked.map_err(ApiError::internal)?;
        }
        self.wait_until(revision).await
    }
}

impl Drop for Cacher {
    fn drop(&mut self) {
        self.feed.abort();
        self.shared.state.write().close();
        self.shared.revision.send_modify(|_| {});
    }
}
