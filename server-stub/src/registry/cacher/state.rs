//! The objects of a resource and its last changes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use crate::registry::object::StoredObject;
use crate::storage::behind_prefix;

/// One change.
#[derive(Clone, Debug)]
pub(super) struct CacheEvent {
    /// The object after the change; `None` for a deletion.
    pub(super) current: Option<Arc<StoredObject>>,
    /// The object before the change; `None` for a creation.
    pub(super) previous: Option<Arc<StoredObject>>,
    pub(super) revision: u64,
}

#[derive(Debug)]
pub(super) struct State {
    objects: BTreeMap<Arc<str>, Arc<StoredObject>>,
    /// The last changes, oldest first.
    events: VecDeque<CacheEvent>,
    capacity: usize,
    /// All changes after this revision are in `events`.
    known_since: u64,
    revision: u64,
    /// How many changes came, and how often a new list.
    received: u64,
    lists: u64,
    closed: bool,
}

/// What a watch cache is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheStats {
    pub(crate) objects: usize,
    pub(crate) revision: u64,
    /// How many changes are remembered at most.
    pub(crate) capacity: usize,
    pub(crate) events_received: u64,
    pub(crate) initializations: u64,
}

/// The answer of [`State::list`].
pub(in crate::registry) struct Listed {
    pub(in crate::registry) objects: Vec<Arc<StoredObject>>,
    /// How many there are.
    pub(in crate::registry) total: usize,
    /// The version of that state.
    pub(in crate::registry) revision: u64,
}

/// The answer of [`State::events_after`].
pub(super) enum EventsAfter {
    /// What changed, and the revision up to which that is complete.
    Events(Vec<CacheEvent>, u64),
    /// The changes are forgotten up to this revision.
    TooOld(u64),
    Closed,
}

impl State {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            objects: BTreeMap::new(),
            events: VecDeque::new(),
            capacity,
            known_since: 0,
            revision: 0,
            received: 0,
            lists: 0,
            closed: false,
        }
    }

    /// The first objects under a prefix, and how many there are.
    pub(super) fn list(&self, prefix: &str, most: usize) -> Listed {
        let behind = behind_prefix(prefix);
        let end = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut under = self.objects.range::<str, _>((Bound::Included(prefix), end));
        let first = under.by_ref().take(most);
        let objects: Vec<_> = first.map(|(_, object)| object.clone()).collect();
        Listed {
            total: objects.len() + under.count(),
            objects,
            revision: self.revision,
        }
    }

    /// The objects from one key to another.
    pub(super) fn between(&self, first: &str, last: &str) -> Vec<Arc<StoredObject>> {
        if first > last {
            return Vec::new();
        }
        let between = (Bound::Included(first), Bound::Included(last));
        let objects = self.objects.range::<str, _>(between);
        objects.map(|(_, object)| object.clone()).collect()
    }

    pub(super) fn stats(&self) -> CacheStats {
        CacheStats {
            objects: self.objects.len(),
            revision: self.revision,
            capacity: self.capacity,
            events_received: self.received,
            initializations: self.lists,
        }
    }

    pub(super) fn get(&self, key: &str) -> (Option<Arc<StoredObject>>, u64) {
        (self.objects.get(key).cloned(), self.revision)
    }

    pub(super) fn events_after(&self, revision: u64) -> EventsAfter {
        if self.closed {
            return EventsAfter::Closed;
        }
        if revision < self.known_since {
            return EventsAfter::TooOld(self.known_since);
        }
        let start = self.events.partition_point(|event| event.revision <= revision);
        let events = self.events.iter().skip(start).cloned().collect();
        EventsAfter::Events(events, self.revision.max(revision))
    }

    /// Starts anew with a list of storage; what changed before is not known.
    pub(super) fn replace(&mut self, objects: Vec<Arc<StoredObject>>, revision: u64) {
        let keyed = objects.into_iter().map(|object| (object.key().clone(), object));
        self.objects = keyed.collect();
        self.events.clear();
        self.known_since = revision;
        self.revision = revision;
        self.lists += 1;
    }

    pub(super) fn apply(&mut self, key: &Arc<str>, current: Option<Arc<StoredObject>>, revision: u64) {
        self.received += 1;
        let previous = match &current {
            Some(object) => self.objects.insert(key.clone(), object.clone()),
            None => self.objects.remove(key),
        };
        if previous.is_some() || current.is_some() {
            self.events.push_back(CacheEvent {
                current,
                previous,
                revision,
            });
            if self.events.len() > self.capacity
                && let Some(forgotten) = self.events.pop_front()
            {
                self.known_since = forgotten.revision;
            }
        }
        self.revision = revision;
    }

    pub(super) fn progress(&mut self, revision: u64) {
        self.revision = self.revision.max(revision);
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}
