//! Where objects are kept: one trait in the manner of etcd, one folder per backend.
//!
//! A store holds keys and values. Every change gets the next revision, and revisions only grow. Older states can be
//! read and watches can start in the past as far back as the last compaction. The tests in `suite` are what every backend passes.

pub(crate) mod compactor;
pub mod disk;
#[cfg(feature = "etcd3")]
pub mod etcd3;
mod expiry;
mod measured;
pub mod memory;
mod mvcc;
#[cfg(test)]
pub(crate) mod suite;

pub(crate) use self::measured::Measured;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

/// Keys and values with a history.
///
/// All methods are cancel-safe; a change whose future is dropped may or may not have happened.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The value of a key now, or as it was at a revision.
    async fn get(&self, key: &str, revision: Option<u64>) -> Result<Get, StorageError>;

    /// The keys under a prefix in order, now or as they were at a revision.
    async fn range(&self, range: &RangeRequest<'_>) -> Result<Range, StorageError>;

    /// Changes a key if it still is what the caller expects.
    async fn compare_and_swap(&self, key: &str, expected: Expected, change: Change) -> Result<Swap, StorageError>;

    /// Every change under a prefix from a revision on (that one included), in order and each exactly once.
    ///
    /// The stream ends with an error; after it nothing comes.
    async fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError>;

    /// Makes the watches on a prefix report when they have come as far as the store is now, even without an event.
    async fn request_progress(&self, prefix: &str) -> Result<(), StorageError>;

    /// Forgets what was before a revision.
    async fn compact(&self, revision: u64) -> Result<(), StorageError>;

    /// The revision of the last change anywhere in the store.
    async fn current_revision(&self) -> Result<u64, StorageError>;

    /// A revision from which on all changes can be told.
    ///
    /// Watch caches begin there, so that watches go on after a restart. A store that cannot tell names the newest.
    async fn oldest_revision(&self) -> Result<u64, StorageError> {
        self.current_revision().await
    }

    /// Returns when nothing of the store is in use any more, so that it can be opened again. Later changes fail.
    async fn close(&self) {}
}

/// What a watch of the store yields.
pub type StorageWatch = BoxStream<'static, Result<WatchBatch, StorageError>>;

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Arc<str>,
    /// The value.
    pub value: Bytes,
    /// The revision that created the key.
    pub create_revision: u64,
    /// The revision that set this value.
    pub mod_revision: u64,
}

/// The answer of [`Storage::get`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// The key, if there is one.
    pub kv: Option<KeyValue>,
    /// The store's revision when it was read.
    pub revision: u64,
}

/// What [`Storage::range`] reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeRequest<'a> {
    /// Only keys that start with this.
    pub prefix: &'a str,
    /// Only keys from this one on; empty for all.
    pub from: &'a str,
    /// At most so many; 0 for all.
    pub limit: usize,
    /// The state at this revision instead of the newest.
    pub revision: Option<u64>,
}

/// The answer of [`Storage::range`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The keys in order.
    pub kvs: Vec<KeyValue>,
    /// The store's revision when it was read.
    pub revision: u64,
    /// How many keys there are from `from` on, those beyond the limit included.
    pub count: usize,
}

/// What a change is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The key does not exist.
    Absent,
    /// The key was last changed at this revision.
    Revision(u64),
}

impl Expected {
    /// Whether a key is as expected.
    pub(crate) fn is(self, current: Option<&KeyValue>) -> bool {
        match (current, self) {
            (None, Self::Absent) => true,
            (Some(kv), Self::Revision(revision)) => kv.mod_revision == revision,
            _ => false,
        }
    }
}

/// What to do with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Set the value.
    Put {
        /// The value.
        value: Bytes,
        /// Seconds after which the key goes away by itself, unless it is set again.
        ttl: Option<u64>,
    },
    /// Remove the key.
    Delete,
}

/// The answer of [`Storage::compare_and_swap`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The change was made.
    Done {
        /// The revision that it got.
        revision: u64,
    },
    /// The key is not what was expected, nothing was changed.
    Conflict {
        /// What the key is, if it exists.
        current: Option<KeyValue>,
        /// The store's revision when it was read.
        revision: u64,
    },
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageEvent {
    /// The key.
    pub key: Arc<str>,
    /// Its new value, `None` if it was removed.
    pub value: Option<Bytes>,
    /// Its value before, and the revision of that; `None` if it did not exist.
    pub previous: Option<(Bytes, u64)>,
    /// The revision of this change.
    pub revision: u64,
}

/// Events that came together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchBatch {
    /// The events in order; none in a mere progress report.
    pub events: Vec<Arc<StorageEvent>>,
    /// Everything up to this revision has been reported.
    pub revision: u64,
}

/// Why the store could not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The revision is older than what the store still knows.
    #[error("the required revision {wanted} has been compacted, the oldest is {oldest}")]
    Compacted {
        /// The revision asked for.
        wanted: u64,
        /// The oldest one that can be read, or one before it where the store does not tell.
        oldest: u64,
    },
    /// The revision does not exist yet.
    #[error("the required revision {wanted} is a future revision, the current one is {current}")]
    Future {
        /// The revision asked for.
        wanted: u64,
        /// The newest revision.
        current: u64,
    },
    /// The watch was ended because its reader did not keep up.
    #[error("the watch on {prefix} was ended: its reader is more than {limit} events behind")]
    SlowWatcher {
        /// What was watched.
        prefix: String,
        /// How many events are kept for a reader.
        limit: usize,
    },
    /// The store cannot be reached, or cannot work at the moment.
    #[error("{reason}")]
    Unavailable {
        /// Why, in its own words.
        reason: String,
    },
    /// The store does not accept the request, for this reason in its own words.
    #[error("{0}")]
    Refused(String),
    /// An object cannot be brought into the version that was asked for.
    #[error("{0}")]
    Conversion(String),
    /// The store is shut down.
    #[error("the store is closed")]
    Closed,
    /// The backend failed.
    #[error("{doing}: {reason}")]
    Backend {
        /// What was being done, and to which key.
        doing: String,
        /// Why it failed.
        reason: String,
    },
}

/// The first text behind all that start with a prefix; `None` where there is none.
pub(crate) fn behind_prefix(prefix: &str) -> Option<String> {
    let mut behind = prefix.to_owned();
    while let Some(last) = behind.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            behind.push(next);
            return Some(behind);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::behind_prefix;

    #[test]
    fn what_is_behind_a_prefix() {
        assert_eq!(behind_prefix("/registry/pods/").as_deref(), Some("/registry/pods0"));
        assert_eq!(behind_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(behind_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!((behind_prefix(""), behind_prefix("\u{10ffff}")), (None, None));
    }

    proptest! {
        #[test]
        fn a_prefix_is_a_range(prefix in "[/a\u{10ffff}]{0,3}", key in "[/0ab\u{10ffff}]{0,4}") {
            let behind = behind_prefix(&prefix);
            let is_in_range = key >= prefix && behind.is_none_or(|behind| key < behind);
            prop_assert_eq!(is_in_range, key.starts_with(&prefix));
        }
    }
}
