//! Forgets old revisions every few minutes, in stores that would else keep them all.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Storage;

/// Starts the compactor of a store; must be called inside of a Tokio runtime. It ends when the store is dropped.
///
/// What is forgotten is older than one interval, so that reads have that long. Zero is never.
pub(crate) fn start(storage: &Arc<dyn Storage>, interval: Duration) {
    if !interval.is_zero() {
        tokio::spawn(run(Arc::downgrade(storage), interval));
    }
}

async fn run(storage: Weak<dyn Storage>, interval: Duration) {
    let mut before = 0;
    loop {
        tokio::time::sleep(interval).await;
        let Some(storage) = storage.upgrade() else {
            return;
        };
        let compacted = match before {
            0 => Ok(()),
            revision => storage.compact(revision).await,
        };
        match (compacted, storage.current_revision().await) {
            (Ok(()), Ok(now)) => before = now,
            (Err(error), _) | (_, Err(error)) => tracing::warn!(%error, "compact storage"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::memory::MemoryStorage;
    use crate::storage::suite;

    #[tokio::test(start_paused = true)]
    async fn what_is_older_than_an_interval_is_forgotten() {
        let store: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let interval = Duration::from_secs(30);
        start(&store, interval);
        suite::put(&*store, "/a", "x").await;
        let old = store.current_revision().await.unwrap();
        tokio::time::sleep(interval * 3 / 2).await;
        assert!(store.get("/a", Some(old)).await.is_ok());
        suite::put(&*store, "/a", "y").await;
        tokio::time::sleep(interval * 2).await;
        assert_eq!(store.oldest_revision().await.unwrap(), old + 1);
        assert!(store.get("/a", Some(old)).await.is_err());
    }
}
