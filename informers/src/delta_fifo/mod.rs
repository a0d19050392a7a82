//! The queue between the reflector and the store.
//!
//! The contract. Each sentence has a number, by which the test names it that proves it.
//! - **D1** The reflector never waits for the store, its indices or the fan-out to handlers: it only puts deltas here.
//! - **D2** Deltas are kept per key, keys in the order in which they first got one. **D3** However far the consumer is
//!   behind, a key has at most two: that the object which the store may have is gone, and what is there now; memory is
//!   bounded by the number of objects.
//! - **D4** A list response is one [`replace`](DeltaFifo::replace), and the consumer takes everything that is pending
//!   in one [`Batch`], so the store takes over a whole list in one step. **D5** What the list lacks is deleted with an
//!   unknown final state.

use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use kubewire_client::wire::ObjectHeader;
use kubewire_client::{Decode, ResourceVersion};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cache::{ByKey, CachedObject, Indexer};
use crate::reflector::ReflectorStore;

#[cfg(test)]
mod tests;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeltaKind {
    /// The watch reported it as new.
    Added,
    /// The watch reported a change.
    Updated,
    /// A list has it, which the consumer may know already.
    Replaced,
    /// The watch reported its deletion; the object is its final state.
    Deleted,
    /// A list lacks it: its deletion was missed, and the object is the last state that was known.
    DeletedFinalStateUnknown,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Delta<K: Decode> {
    /// What happened.
    pub kind: DeltaKind,
    /// The object, as it is now or was last.
    pub object: CachedObject<K>,
}

/// What is pending for one key: at most a deletion and, after it, one present state.
struct Deltas<K: Decode> {
    deleted: Option<Delta<K>>,
    present: Option<Delta<K>>,
}

impl<K: Decode> Deltas<K> {
    fn oldest_first(self) -> impl Iterator<Item = Delta<K>> {
        self.deleted.into_iter().chain(self.present)
    }

    /// A state takes the place of one that nobody has seen, and stays what that one was to be.
    fn push_present(&mut self, mut delta: Delta<K>) {
        if let (Some(earlier), true) = (&self.present, delta.kind != DeltaKind::Replaced) {
            delta.kind = earlier.kind;
        }
        self.present = Some(delta);
    }

    /// A state that nobody has seen goes; of several deletions the first is that of the object which the store has.
    fn push_deleted(&mut self, delta: Delta<K>) {
        self.present = None;
        self.deleted.get_or_insert(delta);
    }
}

impl<K: Decode> Default for Deltas<K> {
    fn default() -> Self {
        Self {
            deleted: None,
            present: None,
        }
    }
}

/// Everything that was pending at one moment.
pub struct Batch<K: Decode> {
    replaced: bool,
    /// The version that the store has reached with this batch, where that is known.
    version: Option<ResourceVersion>,
    since: Instant,
    order: Vec<ByKey<K>>,
    pending: HashMap<ByKey<K>, Deltas<K>, RandomState>,
}

impl<K: Decode> Batch<K> {
    /// True where a list is part of the batch: every object that is not in the batch is gone.
    pub fn is_replacement(&self) -> bool {
        self.replaced
    }

    /// True where the batch has deltas of this object's key.
    pub fn contains(&self, object: &CachedObject<K>) -> bool {
        self.pending.contains_key(&ByKey(object.clone()))
    }

    /// The version that the store has reached once it has taken the batch, where that is known.
    pub fn version(&self) -> Option<&ResourceVersion> {
        self.version.as_ref()
    }

    /// How long the oldest delta has waited.
    pub fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// How many keys have deltas.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// True where nothing is pending, not even an empty list.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && !self.replaced && self.version.is_none()
    }

    /// The deltas of every key, in the order in which the keys first got one.
    pub fn into_deltas(mut self) -> impl Iterator<Item = Delta<K>> {
        let order = std::mem::take(&mut self.order);
        order
            .into_iter()
            .filter_map(move |key| self.pending.remove(&key))
            .flat_map(Deltas::oldest_first)
    }

    fn deltas_of(&mut self, object: &CachedObject<K>) -> &mut Deltas<K> {
        let order = &mut self.order;
        self.pending.entry(ByKey(object.clone())).or_insert_with(|| {
            order.push(ByKey(object.clone()));
            Deltas::default()
        })
    }
}

impl<K: Decode> Default for Batch<K> {
    fn default() -> Self {
        Self {
            replaced: false,
            version: None,
            since: Instant::now(),
            order: Vec::new(),
            pending: HashMap::default(),
        }
    }
}

/// A queue of deltas that coalesces per key; see the [module](self).
pub struct DeltaFifo<K: Decode> {
    /// What the consumer makes of the deltas.
    store: Arc<Indexer<K>>,
    pending: Mutex<Batch<K>>,
    ready: Notify,
}

impl<K: Decode> DeltaFifo<K> {
    /// An empty queue before this store, which its consumer is to fill.
    pub fn new(store: Arc<Indexer<K>>) -> Self {
        Self {
            store,
            pending: Mutex::default(),
            ready: Notify::new(),
        }
    }

    /// Waits until something is pending and takes all of it. For one consumer.
    ///
    /// Cancel safe: nothing is taken where the future is dropped.
    pub async fn pop(&self) -> Batch<K> {
        loop {
            let batch = std::mem::take(&mut *self.pending.lock());
            if !batch.is_empty() {
                return batch;
            }
            self.ready.notified().await;
        }
    }

    /// Forgets what is pending.
    pub(crate) fn clear(&self) {
        let pending = std::mem::take(&mut *self.pending.lock());
        drop(pending);
    }

    /// How many keys have deltas.
    pub fn len(&self) -> usize {
        self.pending.lock().pending.len()
    }

    /// True where nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.pending.lock().is_empty()
    }

    fn push(&self, push: impl FnOnce(&mut Batch<K>)) {
        let mut batch = self.pending.lock();
        if batch.is_empty() {
            batch.since = Instant::now();
        }
        push(&mut batch);
        drop(batch);
        self.ready.notify_one();
    }

    fn push_present(&self, kind: DeltaKind, object: CachedObject<K>) {
        self.push(|batch| {
            let deltas = batch.deltas_of(&object);
            deltas.push_present(Delta { kind, object });
        });
    }
}

impl<K: Decode> ReflectorStore<K> for DeltaFifo<K> {
    fn add(&self, object: CachedObject<K>) {
        self.push_present(DeltaKind::Added, object);
    }

    fn update(&self, object: CachedObject<K>) {
        self.push_present(DeltaKind::Updated, object);
    }

    fn delete(&self, object: CachedObject<K>) {
        self.push(|batch| {
            let kind = DeltaKind::Deleted;
            let deltas = batch.deltas_of(&object);
            deltas.push_deleted(Delta { kind, object });
        });
    }

    fn replace(&self, objects: Vec<CachedObject<K>>) {
        self.push(|batch| {
            if !batch.pending.is_empty() {
                let listed: HashSet<_, RandomState> = objects.iter().cloned().map(ByKey).collect();
                for (key, deltas) in &mut batch.pending {
                    if let (false, Some(Delta { object, .. })) = (listed.contains(key), deltas.present.take()) {
                        let kind = DeltaKind::DeletedFinalStateUnknown;
                        deltas.push_deleted(Delta { kind, object });
                    }
                }
            }
            batch.pending.reserve(objects.len());
            for object in objects {
                let kind = DeltaKind::Replaced;
                let deltas = batch.deltas_of(&object);
                deltas.push_present(Delta { kind, object });
            }
            batch.replaced = true;
        });
    }

    fn has(&self, object: &ObjectHeader) -> bool {
        self.store.has(object)
    }

    fn reached(&self, version: &ResourceVersion) {
        self.push(|batch| batch.version = Some(version.clone()));
    }
}

impl<K: Decode> fmt::Debug for DeltaFifo<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeltaFifo")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
