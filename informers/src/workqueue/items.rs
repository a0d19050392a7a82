//! The items of a queue, without a lock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::{Item, WorkQueueStats};

/// A place among the items that wait: the highest priority first, then the oldest.
type Place = (Reverse<i32>, u64);

pub(super) struct Items<T> {
    /// Every item that waits or is being worked on.
    entries: HashMap<T, Entry>,
    waiting: BTreeMap<Place, T>,
    /// Items for later, by their time.
    later: BTreeMap<(Instant, u64), T>,
    later_at: HashMap<T, Later>,
    processing: usize,
    next: u64,
    shut_down: bool,
}

/// Where an item is.
enum Entry {
    Waiting { place: Place, since: Instant },
    Processing { since: Instant, again: Option<Again> },
}

/// The item was added while somebody works on it.
struct Again {
    priority: i32,
    since: Instant,
}

struct Later {
    at: (Instant, u64),
    priority: i32,
}

impl<T: Item> Items<T> {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            waiting: BTreeMap::new(),
            later: BTreeMap::new(),
            later_at: HashMap::new(),
            processing: 0,
            next: 0,
            shut_down: false,
        }
    }

    /// Adds an item; true where it waits now and did not before.
    pub(super) fn add(&mut self, item: T, priority: i32, now: Instant) -> bool {
        if self.shut_down {
            return false;
        }
        match self.entries.get_mut(&item) {
            None => {
                self.wait(item, priority, now);
                true
            }
            Some(Entry::Waiting { place, .. }) => {
                if Reverse(priority) < place.0 {
                    self.waiting.remove(place);
                    place.0 = Reverse(priority);
                    self.waiting.insert(*place, item);
                }
                false
            }
            Some(Entry::Processing { again, .. }) => {
                let again = again.get_or_insert(Again { priority, since: now });
                again.priority = again.priority.max(priority);
                false
            }
        }
    }

    /// Adds an item for later; true where it is the soonest of all.
    pub(super) fn add_at(&mut self, item: T, at: Instant, priority: i32) -> bool {
        if self.shut_down {
            return false;
        }
        let mut later = Later {
            at: (at, self.place()),
            priority,
        };
        if let Some(earlier) = self.later_at.remove(&item) {
            self.later.remove(&earlier.at);
            later.at = later.at.min(earlier.at);
            later.priority = later.priority.max(earlier.priority);
        }
        self.later.insert(later.at, item.clone());
        let soonest = self.later.first_key_value().map(|(at, _)| *at) == Some(later.at);
        self.later_at.insert(item, later);
        soonest
    }

    /// Adds what was to come until now.
    pub(super) fn promote(&mut self, now: Instant) {
        while let Some(first) = self.later.first_entry()
            && first.key().0 <= now
        {
            let item = first.remove();
            let priority = self.later_at.remove(&item).map_or(0, |later| later.priority);
            self.add(item, priority, now);
        }
    }

    /// When the next item is to come.
    pub(super) fn soonest(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the item whose turn it is, and says its priority and how long it has waited.
    pub(super) fn take(&mut self, now: Instant) -> Option<(T, i32, Duration)> {
        let ((Reverse(priority), _), item) = self.waiting.pop_first()?;
        let work = Entry::Processing {
            since: now,
            again: None,
        };
        let waited = match self.entries.insert(item.clone(), work) {
            Some(Entry::Waiting { since, .. }) => now - since,
            _ => Duration::ZERO,
        };
        self.processing += 1;
        Some((item, priority, waited))
    }

    /// The work on an item is done; true where it waits again.
    pub(super) fn done(&mut self, item: &T, now: Instant) -> bool {
        let Some((item, entry)) = self.entries.remove_entry(item) else {
            return false;
        };
        self.processing -= 1;
        if let Entry::Processing { again: Some(again), .. } = entry {
            self.wait(item, again.priority, again.since.min(now));
            return true;
        }
        false
    }

    pub(super) fn depth(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn stats(&self, now: Instant) -> WorkQueueStats {
        let works = self.entries.values().filter_map(|entry| match entry {
            Entry::Processing { since, .. } => Some(now - *since),
            Entry::Waiting { .. } => None,
        });
        let mut stats = WorkQueueStats {
            depth: self.depth(),
            delayed: self.later.len(),
            processing: self.processing,
            ..WorkQueueStats::default()
        };
        for work in works {
            stats.unfinished_work += work;
            stats.longest_running = stats.longest_running.max(work);
        }
        stats
    }

    pub(super) fn shut_down(&mut self) {
        self.shut_down = true;
        self.later.clear();
        self.later_at.clear();
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.shut_down
    }

    pub(super) fn is_drained(&self) -> bool {
        self.entries.is_empty()
    }

    fn wait(&mut self, item: T, priority: i32, since: Instant) {
        let place = (Reverse(priority), self.place());
        self.entries.insert(item.clone(), Entry::Waiting { place, since });
        self.waiting.insert(place, item);
    }

    fn place(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
