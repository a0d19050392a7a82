//! Storage in memory: nothing is kept when the process ends.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;

use super::expiry::Expiry;
pub use super::mvcc::Limits as MemoryOptions;
use super::mvcc::Mvcc;
use super::{Change, Expected, Get, Range, RangeRequest, Storage, StorageError, StorageWatch, Swap};

/// A [`Storage`] in memory. Cloning gives another handle to the same store.
#[derive(Clone, Debug)]
pub struct MemoryStorage {
    mvcc: Mvcc,
    expiry: Arc<OnceLock<Expiry>>,
}

impl MemoryStorage {
    /// An empty store.
    pub fn new(options: MemoryOptions) -> Self {
        Self {
            mvcc: Mvcc::new(options),
            expiry: Arc::default(),
        }
    }

    fn expiry(&self) -> &Expiry {
        self.expiry.get_or_init(|| {
            let mvcc = self.mvcc.clone();
            Expiry::start(Box::new(move |key, revision| {
                // Whoever was faster has set it anew or removed it.
                let _ = mvcc.compare_and_commit(&key, Expected::Revision(revision), None);
                std::future::ready(true).boxed()
            }))
        })
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new(MemoryOptions::default())
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn get(&self, key: &str, revision: Option<u64>) -> Result<Get, StorageError> {
        self.mvcc.get(key, revision)
    }

    async fn range(&self, range: &RangeRequest<'_>) -> Result<Range, StorageError> {
        self.mvcc.range(range)
    }

    async fn compare_and_swap(&self, key: &str, expected: Expected, change: Change) -> Result<Swap, StorageError> {
        let (value, ttl) = match change {
            Change::Put { value, ttl } => (Some(value), ttl),
            Change::Delete => (None, None),
        };
        let event = match self.mvcc.compare_and_commit(key, expected, value) {
            Ok(event) => event,
            Err(Get { kv: current, revision }) => return Ok(Swap::Conflict { current, revision }),
        };
        let revision = event.revision;
        if let Some(seconds) = ttl {
            self.expiry()
                .schedule(event.key.clone(), revision, Duration::from_secs(seconds));
        }
        Ok(Swap::Done { revision })
    }

    async fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError> {
        self.mvcc.watch(prefix, from_revision)
    }

    async fn request_progress(&self, prefix: &str) -> Result<(), StorageError> {
        self.mvcc.report_progress(prefix);
        Ok(())
    }

    async fn compact(&self, revision: u64) -> Result<(), StorageError> {
        self.mvcc.compact(revision)
    }

    async fn current_revision(&self) -> Result<u64, StorageError> {
        Ok(self.mvcc.revision())
    }

    async fn oldest_revision(&self) -> Result<u64, StorageError> {
        Ok(self.mvcc.oldest())
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::storage::suite;

    #[tokio::test]
    async fn passes_the_suite() {
        suite::run(async || Arc::new(MemoryStorage::default())).await;
    }

    #[tokio::test]
    async fn a_slow_watch_is_ended() {
        let options = MemoryOptions {
            watch_buffer: 2,
            ..MemoryOptions::default()
        };
        let store = MemoryStorage::new(options);
        let mut watch = store.watch("/a", 2).await.unwrap();
        for n in 0..5 {
            suite::put(&store, &format!("/a/{n}"), "x").await;
        }
        let mut seen = Vec::new();
        let error = loop {
            match watch.next().await.unwrap() {
                Ok(batch) => seen.extend(batch.events.iter().map(|event| event.revision)),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StorageError::SlowWatcher { limit: 2, .. }), "{error}");
        assert_eq!(seen, [2, 3]);
        assert!(watch.next().await.is_none());
    }

    #[tokio::test]
    async fn compacts_itself() {
        let options = MemoryOptions {
            keep_changes: 3,
            ..MemoryOptions::default()
        };
        let store = MemoryStorage::new(options);
        for _ in 0..10 {
            suite::put(&store, "/a", "x").await;
        }
        let revision = store.current_revision().await.unwrap();
        assert!(store.get("/a", Some(revision - 2)).await.unwrap().kv.is_some());
        assert!(matches!(
            store.get("/a", Some(2)).await,
            Err(StorageError::Compacted { .. })
        ));
        assert!(store.watch("/a", 2).await.is_err());
    }
}
