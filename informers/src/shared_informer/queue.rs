//! What one handler has still to be told.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use kubewire_client::Decode;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::HandlerStats;
use crate::cache::{ByKey, CachedObject};

/// An empty queue has room for so many objects: after a long list it gives the rest of it back.
const KEPT_CAPACITY: usize = 256;

/// One thing to tell a handler.
#[derive(Debug)]
pub(super) enum Notification<K: Decode> {
    Add {
        object: CachedObject<K>,
        is_in_initial_list: bool,
    },
    Update {
        old: CachedObject<K>,
        new: CachedObject<K>,
    },
    Sync(CachedObject<K>),
    Delete {
        object: CachedObject<K>,
        final_state_known: bool,
    },
}

impl<K: Decode> Clone for Notification<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Add {
                object,
                is_in_initial_list,
            } => Self::Add {
                object: object.clone(),
                is_in_initial_list: *is_in_initial_list,
            },
            Self::Update { old, new } => Self::Update {
                old: old.clone(),
                new: new.clone(),
            },
            Self::Sync(object) => Self::Sync(object.clone()),
            Self::Delete {
                object,
                final_state_known,
            } => Self::Delete {
                object: object.clone(),
                final_state_known: *final_state_known,
            },
        }
    }
}

impl<K: Decode> Notification<K> {
    fn object(&self) -> &CachedObject<K> {
        match self {
            Self::Add { object, .. } | Self::Sync(object) | Self::Delete { object, .. } => object,
            Self::Update { new, .. } => new,
        }
    }
}

/// A queue of notifications that coalesces per object.
///
/// It holds the shortest way from what the handler has seen to what is true: at most a deletion and a present state
/// per object, and nothing of an object that came and went unseen. So it never holds more than the objects that the
/// handler has seen and those that the store has.
pub(super) struct NotificationQueue<K: Decode> {
    state: Mutex<State<K>>,
    ready: Notify,
    synced: watch::Sender<bool>,
    panics: AtomicU64,
}

struct State<K: Decode> {
    pending: HashMap<ByKey<K>, Pending<K>, RandomState>,
    /// Keys by when they first became pending.
    order: BTreeMap<u64, ByKey<K>>,
    next: u64,
    /// The initial list ends before this place.
    initial_end: Option<u64>,
    coalesced: u64,
}

struct Pending<K: Decode> {
    place: u64,
    deleted: Option<Notification<K>>,
    present: Option<Notification<K>>,
}

impl<K: Decode> NotificationQueue<K> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                pending: HashMap::default(),
                order: BTreeMap::new(),
                next: 0,
                initial_end: None,
                coalesced: 0,
            }),
            ready: Notify::new(),
            synced: watch::Sender::new(false),
            panics: AtomicU64::new(0),
        }
    }

    /// Adds notifications, oldest first.
    pub(super) fn push(&self, notifications: impl IntoIterator<Item = Notification<K>>) {
        let mut state = self.state.lock();
        for notification in notifications {
            state.push(notification);
        }
        drop(state);
        self.ready.notify_one();
    }

    /// The initial list is in the queue: once it has been handled, the handler has synced.
    pub(super) fn end_initial_list(&self) {
        let mut state = self.state.lock();
        let next = state.next;
        state.initial_end.get_or_insert(next);
        drop(state);
        self.ready.notify_one();
    }

    /// Waits for something to tell about one object, and takes it: one or two notifications. To call it again means
    /// that the last ones have been handled. Cancel safe.
    pub(super) async fn pop(&self) -> impl Iterator<Item = Notification<K>> + use<K> {
        loop {
            if let Some(pending) = self.take() {
                return pending.deleted.into_iter().chain(pending.present);
            }
            self.ready.notified().await;
        }
    }

    /// True once the handler has seen the initial list.
    pub(super) fn synced(&self) -> watch::Receiver<bool> {
        self.synced.subscribe()
    }

    /// About how many objects there is something to tell.
    pub(super) fn len(&self) -> usize {
        self.state.lock().pending.len()
    }

    pub(super) fn stats(&self) -> HandlerStats {
        let state = self.state.lock();
        HandlerStats {
            pending: state.pending.len(),
            coalesced: state.coalesced,
            panics: self.panics.load(Ordering::Relaxed),
        }
    }

    /// A call of the handler panicked.
    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> Option<Pending<K>> {
        let mut state = self.state.lock();
        let first = state.order.pop_first();
        let reached = first.as_ref().map_or(state.next, |(place, _)| *place);
        if state.initial_end.is_some_and(|end| reached >= end) {
            self.synced.send_if_modified(|synced| !std::mem::replace(synced, true));
        }
        let (_, key) = first?;
        let pending = state.pending.remove(&key);
        if state.pending.is_empty() && state.pending.capacity() > KEPT_CAPACITY {
            state.pending = HashMap::default();
        }
        pending
    }
}

impl<K: Decode> State<K> {
    fn push(&mut self, notification: Notification<K>) {
        let key = ByKey(notification.object().clone());
        let (next, order) = (&mut self.next, &mut self.order);
        let before = *next;
        let pending = self.pending.entry(key.clone()).or_insert_with(|| {
            let place = *next;
            *next += 1;
            order.insert(place, key.clone());
            Pending {
                place,
                deleted: None,
                present: None,
            }
        });
        self.coalesced += u64::from(*next == before);
        pending.push(notification);
        if pending.deleted.is_none() && pending.present.is_none() {
            self.order.remove(&pending.place);
            self.pending.remove(&key);
        }
    }
}

impl<K: Decode> Pending<K> {
    fn push(&mut self, notification: Notification<K>) {
        use Notification::{Add, Delete, Sync, Update};
        let present = self.present.take();
        self.present = match (present, notification) {
            // The handler has not seen the object: it is new to it in its latest state.
            (Some(Add { is_in_initial_list, .. }), Update { new: object, .. }) => Some(Add {
                object,
                is_in_initial_list,
            }),
            (Some(Add { .. }), Delete { .. }) => None,
            (Some(Update { old, .. }), Update { new, .. }) => Some(Update { old, new }),
            (Some(present @ (Add { .. } | Update { .. })), Sync(_)) => Some(present),
            (_, deleted @ Delete { .. }) => {
                self.deleted = Some(deleted);
                None
            }
            (_, notification) => Some(notification),
        };
    }
}
