//! The versions of all keys in memory and the watches on them: what the backends of this process have in common.

mod history;
mod watchers;

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use parking_lot::RwLock;

pub(super) use self::history::Entry;
use self::history::History;
use self::watchers::Watchers;
use super::{Expected, Get, KeyValue, Range, RangeRequest, StorageError, StorageEvent, StorageWatch, WatchBatch};

/// How much is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How many changes can be looked back on. The store compacts itself when twice as many have come together.
    pub keep_changes: usize,
    /// How many changes wait for one watch before it is ended.
    pub watch_buffer: usize,
}

impl Default for Limits {
    /// 10,000 changes, and as many for each watch.
    fn default() -> Self {
        Self {
            keep_changes: 10_000,
            watch_buffer: 10_000,
        }
    }
}

/// Cloning gives another handle to the same versions.
#[derive(Clone, Debug)]
pub(super) struct Mvcc {
    state: Arc<RwLock<State>>,
    limits: Limits,
}

#[derive(Debug, Default)]
struct State {
    history: History,
    watchers: Watchers,
}

/// A change that gets the next revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutation {
    pub(super) key: Arc<str>,
    /// The new value; `None` removes the key.
    pub(super) value: Option<Bytes>,
    /// When the key goes away by itself, in seconds since 1970; 0 for never.
    pub(super) expires: u64,
}

impl Mvcc {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            state: Arc::default(),
            limits,
        }
    }

    /// The state at a revision, without what was before.
    pub(super) fn restore(limits: Limits, entries: Vec<Entry>, revision: u64) -> Self {
        let mvcc = Self::new(limits);
        mvcc.state.write().history = History::restore(entries, revision);
        mvcc
    }

    pub(super) fn revision(&self) -> u64 {
        self.state.read().history.revision()
    }

    /// The oldest revision that can be read.
    pub(super) fn oldest(&self) -> u64 {
        self.state.read().history.oldest()
    }

    pub(super) fn get(&self, key: &str, revision: Option<u64>) -> Result<Get, StorageError> {
        let state = self.state.read();
        Ok(Get {
            kv: state.history.get(key, revision)?,
            revision: state.history.revision(),
        })
    }

    /// The newest version of a key.
    pub(super) fn current(&self, key: &str) -> Option<KeyValue> {
        self.state.read().history.current(key)
    }

    pub(super) fn range(&self, request: &RangeRequest<'_>) -> Result<Range, StorageError> {
        self.state.read().history.range(request)
    }

    /// Everything there is at the oldest revision, and that revision.
    pub(super) fn oldest_state(&self) -> (Vec<Entry>, u64) {
        let state = self.state.read();
        (state.history.entries_at_oldest(), state.history.oldest())
    }

    /// The keys that go away by themselves: when, and their revision.
    pub(super) fn expiring(&self) -> Vec<(Arc<str>, u64, u64)> {
        self.state.read().history.expiring()
    }

    /// Makes changes and tells the watches, all at once.
    pub(super) fn commit(&self, mutations: impl IntoIterator<Item = Mutation>) {
        let mut state = self.state.write();
        for mutation in mutations {
            state.commit(mutation, &self.limits);
        }
    }

    /// Looks at a key and changes it, with nothing in between; what is there instead if it is not as expected.
    pub(super) fn compare_and_commit(
        &self,
        key: &str,
        expected: Expected,
        value: Option<Bytes>,
    ) -> Result<Arc<StorageEvent>, Get> {
        let mut state = self.state.write();
        let current = state.history.current(key);
        if !expected.is(current.as_ref()) {
            return Err(Get {
                kv: current,
                revision: state.history.revision(),
            });
        }
        let mutation = Mutation {
            key: current.map_or_else(|| Arc::from(key), |kv| kv.key),
            value,
            expires: 0,
        };
        Ok(state.commit(mutation, &self.limits))
    }

    pub(super) fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError> {
        let mut state = self.state.write();
        let past = state.history.events_since(prefix, from_revision)?;
        let revision = state.history.revision();
        let live = state.watchers.add(prefix, self.limits.watch_buffer);
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

    pub(super) fn report_progress(&self, prefix: &str) {
        let mut state = self.state.write();
        let revision = state.history.revision();
        state.watchers.report_progress(prefix, revision);
    }

    pub(super) fn compact(&self, revision: u64) -> Result<(), StorageError> {
        self.state.write().history.compact(revision)
    }
}

impl State {
    fn commit(&mut self, mutation: Mutation, limits: &Limits) -> Arc<StorageEvent> {
        let event = self.history.apply(mutation);
        self.watchers.publish(&event);
        if self.history.changes() >= limits.keep_changes.saturating_mul(2) {
            self.history.keep_last(limits.keep_changes);
        }
        event
    }
}

impl WatchBatch {
    /// The batch without what lies before a revision; nothing if nothing is left.
    fn since(mut self, revision: u64) -> Option<Self> {
        self.events.retain(|event| event.revision >= revision);
        (self.revision >= revision || !self.events.is_empty()).then_some(self)
    }
}
