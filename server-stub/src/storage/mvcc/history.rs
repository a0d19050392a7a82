//! Every key's versions since the last compaction, and the log of changes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::Mutation;
use crate::storage::{KeyValue, Range, RangeRequest, StorageError, StorageEvent, behind_prefix};

#[derive(Debug)]
pub(super) struct History {
    /// An empty store is at revision 1, as in etcd.
    revision: u64,
    /// The oldest revision that can be read.
    oldest: u64,
    /// Each key's versions, oldest first; a removed key ends with a version without a value.
    keys: BTreeMap<Arc<str>, Vec<Version>>,
    log: VecDeque<Arc<StorageEvent>>,
}

#[derive(Clone, Debug)]
struct Version {
    revision: u64,
    create_revision: u64,
    value: Option<Bytes>,
    /// Seconds since 1970, 0 for never.
    expires: u64,
}

/// A key as a snapshot holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Entry {
    pub(in crate::storage) kv: KeyValue,
    /// When the key goes away by itself, in seconds since 1970; 0 for never.
    pub(in crate::storage) expires: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            revision: 1,
            oldest: 1,
            keys: BTreeMap::new(),
            log: VecDeque::new(),
        }
    }
}

impl History {
    pub(super) fn restore(entries: Vec<Entry>, revision: u64) -> Self {
        let keyed = entries.into_iter().map(|Entry { kv, expires }| {
            let version = Version {
                revision: kv.mod_revision,
                create_revision: kv.create_revision,
                value: Some(kv.value),
                expires,
            };
            (kv.key, vec![version])
        });
        Self {
            revision,
            oldest: revision,
            keys: keyed.collect(),
            log: VecDeque::new(),
        }
    }

    pub(super) fn entries_at_oldest(&self) -> Vec<Entry> {
        let entries = self.keys.iter().filter_map(|(key, versions)| {
            Some(Entry {
                kv: at(key, versions, self.oldest)?,
                expires: version_at(versions, self.oldest)?.expires,
            })
        });
        entries.collect()
    }

    pub(super) fn expiring(&self) -> Vec<(Arc<str>, u64, u64)> {
        let newest = self.keys.iter().filter_map(|(key, versions)| {
            let version = versions.last()?;
            (version.expires > 0).then(|| (key.clone(), version.expires, version.revision))
        });
        newest.collect()
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// How many changes can be looked back on.
    pub(super) fn changes(&self) -> usize {
        self.log.len()
    }

    pub(super) fn get(&self, key: &str, revision: Option<u64>) -> Result<Option<KeyValue>, StorageError> {
        let revision = self.readable(revision)?;
        Ok(self
            .keys
            .get_key_value(key)
            .and_then(|(key, versions)| at(key, versions, revision)))
    }

    pub(super) fn range(&self, request: &RangeRequest<'_>) -> Result<Range, StorageError> {
        let revision = self.readable(request.revision)?;
        let from = request.from.max(request.prefix);
        let mut kvs = Vec::new();
        let mut count = 0;
        let behind = behind_prefix(request.prefix);
        // A range must not end before it begins.
        let end = behind.as_deref().map(|behind| behind.max(from));
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        for (key, versions) in self.keys.range::<str, _>((Bound::Included(from), end)) {
            if request.limit > 0 && kvs.len() == request.limit {
                count += usize::from(is_there(versions, revision));
            } else if let Some(kv) = at(key, versions, revision) {
                kvs.push(kv);
                count += 1;
            }
        }
        Ok(Range {
            kvs,
            revision: self.revision,
            count,
        })
    }

    /// The newest version of a key.
    pub(super) fn current(&self, key: &str) -> Option<KeyValue> {
        let (key, versions) = self.keys.get_key_value(key)?;
        at(key, versions, self.revision)
    }

    /// Makes a change.
    pub(super) fn apply(&mut self, mutation: Mutation) -> Arc<StorageEvent> {
        self.revision += 1;
        let revision = self.revision;
        let Mutation { key, value, expires } = mutation;
        let versions = self.keys.entry(key.clone()).or_insert_with(|| Vec::with_capacity(1));
        let current = versions.last();
        let previous = current.and_then(|version| Some((version.value.clone()?, version.revision)));
        let create_revision = match (current, &previous) {
            (Some(version), Some(_)) => version.create_revision,
            _ => revision,
        };
        versions.push(Version {
            revision,
            create_revision,
            value: value.clone(),
            expires,
        });
        let event = Arc::new(StorageEvent {
            key,
            value,
            previous,
            revision,
        });
        self.log.push_back(event.clone());
        event
    }

    pub(super) fn events_since(&self, prefix: &str, revision: u64) -> Result<Vec<Arc<StorageEvent>>, StorageError> {
        if revision < self.oldest {
            return Err(self.compacted(revision));
        }
        let start = self.log.partition_point(|event| event.revision < revision);
        let events = self.log.iter().skip(start);
        Ok(events.filter(|event| event.key.starts_with(prefix)).cloned().collect())
    }

    pub(super) fn compact(&mut self, revision: u64) -> Result<(), StorageError> {
        if revision > self.revision {
            return Err(self.future(revision));
        }
        if revision <= self.oldest {
            return Err(self.compacted(revision));
        }
        self.oldest = revision;
        let old = self.log.partition_point(|event| event.revision < revision);
        let forgotten: Vec<_> = self.log.drain(..old).collect();
        for event in forgotten {
            self.forget_before(&event.key, revision);
        }
        Ok(())
    }

    pub(super) fn keep_last(&mut self, changes: usize) {
        let first = self
            .log
            .len()
            .checked_sub(changes)
            .and_then(|index| self.log.get(index));
        if let Some(revision) = first.map(|event| event.revision) {
            // Cannot fail: the revision is in the log.
            let _ = self.compact(revision);
        }
    }

    /// Drops the versions of a key that nobody can ask for any more.
    fn forget_before(&mut self, key: &str, revision: u64) {
        let Some(versions) = self.keys.get_mut(key) else {
            return;
        };
        let newer = versions.partition_point(|version| version.revision <= revision);
        versions.drain(..newer.saturating_sub(1));
        let gone = |version: &Version| version.value.is_none() && version.revision <= revision;
        if versions.len() == 1 && versions.first().is_some_and(gone) {
            self.keys.remove(key);
        }
    }

    fn readable(&self, revision: Option<u64>) -> Result<u64, StorageError> {
        match revision {
            None => Ok(self.revision),
            Some(wanted) if wanted > self.revision => Err(self.future(wanted)),
            Some(wanted) if wanted < self.oldest => Err(self.compacted(wanted)),
            Some(wanted) => Ok(wanted),
        }
    }

    fn compacted(&self, wanted: u64) -> StorageError {
        StorageError::Compacted {
            wanted,
            oldest: self.oldest,
        }
    }

    fn future(&self, wanted: u64) -> StorageError {
        StorageError::Future {
            wanted,
            current: self.revision,
        }
    }
}

/// The version that was current at a revision.
fn version_at(versions: &[Version], revision: u64) -> Option<&Version> {
    let newer = versions.partition_point(|version| version.revision <= revision);
    versions.get(newer.checked_sub(1)?)
}

fn is_there(versions: &[Version], revision: u64) -> bool {
    version_at(versions, revision).is_some_and(|version| version.value.is_some())
}

fn at(key: &Arc<str>, versions: &[Version], revision: u64) -> Option<KeyValue> {
    let version = version_at(versions, revision)?;
    Some(KeyValue {
        key: key.clone(),
        value: version.value.clone()?,
        create_revision: version.create_revision,
        mod_revision: version.revision,
    })
}
