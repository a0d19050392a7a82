//! From what an informer tells to items of a queue.

use async_trait::async_trait;
use kubewire_client::Decode;

use crate::cache::CachedObject;
use crate::shared_informer::EventHandler;
use crate::workqueue::{DEFAULT_PRIORITY, Item, LOW_PRIORITY, WorkQueue};

/// Adds items for objects.
pub(super) struct Enqueue<T: Item, F> {
    queue: WorkQueue<T>,
    items: F,
}

impl<T: Item, F> Enqueue<T, F> {
    pub(super) fn new(queue: WorkQueue<T>, items: F) -> Self {
        Self { queue, items }
    }

    fn add<K: Decode>(&self, object: &CachedObject<K>, priority: i32)
    where
        F: Fn(&CachedObject<K>) -> Vec<T>,
    {
        for item in (self.items)(object) {
            self.queue.add_with_priority(item, priority);
        }
    }
}

#[async_trait]
impl<T, K, F> EventHandler<K> for Enqueue<T, F>
where
    T: Item,
    K: Decode,
    F: Fn(&CachedObject<K>) -> Vec<T> + Send + 'static,
{
    async fn on_add(&mut self, object: &CachedObject<K>, is_in_initial_list: bool) {
        let priority = if is_in_initial_list {
            LOW_PRIORITY
        } else {
            DEFAULT_PRIORITY
        };
        self.add(object, priority);
    }

    async fn on_update(&mut self, old: &CachedObject<K>, new: &CachedObject<K>) {
        self.add(old, DEFAULT_PRIORITY);
        self.add(new, DEFAULT_PRIORITY);
    }

    async fn on_sync(&mut self, object: &CachedObject<K>) {
        self.add(object, LOW_PRIORITY);
    }

    async fn on_delete(&mut self, object: &CachedObject<K>, _: bool) {
        self.add(object, DEFAULT_PRIORITY);
    }
}
