//! Storage in memory: nothing is kept when the process ends.

mod history;
mod watchers;

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use parking_lot::Mutex;

use self::history::History;
use self::watchers::Watchers;
use super::{
    Change, Expected, Get, Range, RangeRequest, Storage, StorageError, StorageEvent, StorageWatch, Swap, WatchBatch,
};

/// Limits of the memory store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// How many changes can be looked back on. The store compacts itself when twice as many have come together.
    pub keep_changes: usize,
    /// How many changes wait for one watch before it is ended.
    pub watch_buffer: usize,
}

impl Default for MemoryOptions {
    /// 10,000 changes, and as many for each watch.
    fn default() -> Self {
        Self {
            keep_changes: 10_000,
            watch_buffer: 10_000,
        }
    }
}

/// A [`Storage`] in memory. Cloning gives another handle to the same store.
#[derive(Clone, Debug)]
pub struct MemoryStorage {
    state: Arc<Mutex<State>>,
    options: MemoryOptions,
}

#[derive(Debug)]
struct State {
    history: History,
    watchers: Watchers,
}

impl MemoryStorage {
    /// An empty store.
    pub fn new(options: MemoryOptions) -> Self {
        let state = State {
            history: History::default(),
            watchers: Watchers::default(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            options,
        }
    }

    fn compact_if_long(&self, state: &mut State) {
        if state.history.changes() >= self.options.keep_changes.saturating_mul(2) {
            state.history.keep_last(self.options.keep_changes);
        }
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
        let state = self.state.lock();
        Ok(Get {
            kv: state.history.get(key, revision)?,
            revision: state.history.revision(),
        })
    }

    async fn range(&self, range: &RangeRequest<'_>) -> Result<Range, StorageError> {
        self.state.lock().history.range(range)
    }

    async fn compare_and_swap(&self, key: &str, expected: Expected, change: Change) -> Result<Swap, StorageError> {
        let mut state = self.state.lock();
        let current = state.history.get(key, None)?;
        let as_expected = match (&current, expected) {
            (None, Expected::Absent) => true,
            (Some(kv), Expected::Revision(revision)) => kv.mod_revision == revision,
            _ => false,
        };
        if !as_expected {
            let revision = state.history.revision();
            return Ok(Swap::Conflict { current, revision });
        }
        let value = match change {
            Change::Put { value, .. } => Some(value),
            Change::Delete => None,
        };
        let event: Arc<StorageEvent> = state.history.apply(key, value, current);
        let revision = event.revision;
        state.watchers.publish(&event);
        self.compact_if_long(&mut state);
        Ok(Swap::Done { revision })
    }

    async fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError> {
        let mut state = self.state.lock();
        let past = state.history.events_since(prefix, from_revision)?;
        let revision = state.history.revision();
        let live = state.watchers.add(prefix, self.options.watch_buffer);
        let first = WatchBatch {
            events: past,
            revision: revision.max(from_revision.saturating_sub(1)),
        };
        // A watch that starts in the future says nothing about what comes before.
        let live = live.filter_map(move |batch| async move {
            match batch {
                Ok(batch) => batch.since(from_revision).map(Ok),
                error => Some(error),
            }
        });
        Ok(futures::stream::iter([Ok(first)]).chain(live).boxed())
    }

    async fn request_progress(&self, prefix: &str) -> Result<(), StorageError> {
        let mut state = self.state.lock();
        let revision = state.history.revision();
        state.watchers.report_progress(prefix, revision);
        Ok(())
    }

    async fn compact(&self, revision: u64) -> Result<(), StorageError> {
        self.state.lock().history.compact(revision)
    }

    async fn current_revision(&self) -> Result<u64, StorageError> {
        Ok(self.state.lock().history.revision())
    }
}

impl WatchBatch {
    /// The batch without what lies before a revision; nothing if nothing is left.
    fn since(mut self, revision: u64) -> Option<Self> {
        self.events.retain(|event| event.revision >= revision);
        (self.revision >= revision || !self.events.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::suite;

    #[tokio::test]
    async fn passes_the_suite() {
        suite::run(|| Arc::new(MemoryStorage::default())).await;
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
