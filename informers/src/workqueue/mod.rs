//! A queue of things to do, as controllers need it.
//!
//! The contract, which is client-go's. Each sentence has a number, by which the test names it that proves it.
//! - **W1** An item waits in the queue once, however often it is added. **W2** An item that is added while somebody
//!   works on it waits until that work is done: no two workers ever have the same item.
//! - **W3** Of the items that wait, those of the highest priority come first, and among these the ones that have waited
//!   longest. **W4** An item that is added again gets the higher of both priorities.
//! - **W5** An item can be added for later ([`add_after`](WorkQueue::add_after)); of several times the soonest counts.
//! - **W6** An item that failed is added by the rate limiter ([`add_rate_limited`](WorkQueue::add_rate_limited)): it
//!   waits longer each time until it is [forgotten](WorkQueue::forget), and all items together come back at a bounded
//!   rate.
//! - **W7** A queue that is [shut down](WorkQueue::shut_down) takes nothing in, and gives out what waits; what was to
//!   come later is dropped.
//! - **W8** The queue has no task and no thread: whoever waits in [`get`](WorkQueue::get) keeps the time.

mod items;
mod rate_limiter;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub use rate_limiter::{ItemBackoff, MaxOf, RateLimiter, TokenBucket, default_rate_limiter};

use self::items::Items;
use crate::metrics::{Metrics, NoMetrics};

/// The priority of what is added without one.
pub const DEFAULT_PRIORITY: i32 = 0;
/// A priority for what can wait: objects of an initial list and resyncs.
pub const LOW_PRIORITY: i32 = -100;

/// What can be an item.
pub trait Item: Clone + Eq + Hash + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + Send + Sync + 'static> Item for T {}

/// A queue of things to do; see the [module](self). Cloning shares it.
///
/// ```
/// use kubewire_informers::workqueue::WorkQueue;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let queue = WorkQueue::new("deployments");
/// queue.add("shop/web");
/// queue.add("shop/web");
/// queue.shut_down();
/// while let Some(item) = queue.get().await {
///     assert_eq!(*item, "shop/web"); // once
///     queue.forget(&item); // it succeeded
/// } // dropping the item says that the work is done
/// # }
/// ```
pub struct WorkQueue<T: Item>(Arc<Shared<T>>);

struct Shared<T> {
    name: String,
    items: Mutex<Items<T>>,
    /// Something waits, or a new soonest time is known, or the queue was shut down.
    changed: Notify,
    /// Nothing waits and nobody works any more.
    drained: Notify,
    limiter: Box<dyn RateLimiter<T>>,
    metrics: Arc<dyn Metrics>,
}

/// How a queue stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkQueueStats {
    /// Items that wait.
    pub depth: usize,
    /// Items that are to come later.
    pub delayed: usize,
    /// Items that somebody works on.
    pub processing: usize,
    /// How long the present work has taken, all items together.
    pub unfinished_work: Duration,
    /// How long the longest present work has taken.
    pub longest_running: Duration,
}

impl<T: Item> WorkQueue<T> {
    /// A queue with client-go's rate limiter ([`default_rate_limiter`]); the name is for metrics and messages.
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_rate_limiter(name, default_rate_limiter())
    }

    /// A queue with a rate limiter of its own.
    pub fn with_rate_limiter(name: impl Into<String>, limiter: impl RateLimiter<T>) -> Self {
        Self::build(name.into(), Box::new(limiter), Arc::new(NoMetrics))
    }

    /// A queue that tells what happens in it.
    pub fn with_metrics(name: impl Into<String>, limiter: impl RateLimiter<T>, metrics: Arc<dyn Metrics>) -> Self {
        Self::build(name.into(), Box::new(limiter), metrics)
    }

    fn build(name: String, limiter: Box<dyn RateLimiter<T>>, metrics: Arc<dyn Metrics>) -> Self {
        Self(Arc::new(Shared {
            name,
            items: Mutex::new(Items::new()),
            changed: Notify::new(),
            drained: Notify::new(),
            limiter,
            metrics,
        }))
    }

    /// Adds an item with the default priority.
    pub fn add(&self, item: T) {
        self.add_with_priority(item, DEFAULT_PRIORITY);
    }

    /// Adds an item; those of a higher priority come first.
    pub fn add_with_priority(&self, item: T, priority: i32) {
        let mut items = self.0.items.lock();
        let waits = items.add(item, priority, Instant::now());
        let depth = items.depth();
        drop(items);
        if waits {
            self.0.metrics.queue_added(&self.0.name, depth);
            self.0.changed.notify_one();
        }
    }

    /// Adds an item when so much time has passed.
    pub fn add_after(&self, item: T, delay: Duration) {
        self.add_after_with_priority(item, delay, DEFAULT_PRIORITY);
    }

    /// Adds an item with a priority when so much time has passed.
    pub fn add_after_with_priority(&self, item: T, delay: Duration, priority: i32) {
        if delay.is_zero() {
            return self.add_with_priority(item, priority);
        }
        let soonest = self.0.items.lock().add_at(item, Instant::now() + delay, priority);
        if soonest {
            self.0.changed.notify_one();
        }
    }

    /// Adds an item when its rate limiter allows: it failed, and is to be tried again.
    pub fn add_rate_limited(&self, item: T) {
        self.add_rate_limited_with_priority(item, DEFAULT_PRIORITY);
    }

    /// Adds an item with a priority when its rate limiter allows.
    pub fn add_rate_limited_with_priority(&self, item: T, priority: i32) {
        let delay = self.0.limiter.when(&item);
        self.0.metrics.queue_retried(&self.0.name, delay);
        self.add_after_with_priority(item, delay, priority);
    }

    /// The item succeeded, or is given up: the rate limiter starts anew with it.
    pub fn forget(&self, item: &T) {
        self.0.limiter.forget(item);
    }

    /// How often the item has been added by the rate limiter since it was forgotten.
    pub fn requeues(&self, item: &T) -> u32 {
        self.0.limiter.requeues(item)
    }

    /// Waits for an item and takes it; `None` once the queue is shut down and empty. Cancel safe.
    pub async fn get(&self) -> Option<Processing<T>> {
        loop {
            let mut changed = pin!(self.0.changed.notified());
            // From here on no notification is missed.
            changed.as_mut().enable();
            let next = match self.take() {
                Ok(taken) => return taken,
                Err(next) => next,
            };
            match next {
                Some(at) => {
                    tokio::select! {
                        () = changed => {}
                        () = sleep_until(at) => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.promote();
        self.0.items.lock().depth()
    }

    /// True where no item waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the queue stands.
    pub fn stats(&self) -> WorkQueueStats {
        self.promote();
        self.0.items.lock().stats(Instant::now())
    }

    /// The name that was given.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Takes nothing in from now on; [`get`](WorkQueue::get) gives out what waits, and then `None`.
    pub fn shut_down(&self) {
        self.promote();
        self.0.items.lock().shut_down();
        self.0.changed.notify_waiters();
        self.0.changed.notify_one();
        self.0.drained.notify_waiters();
    }

    /// Shuts down, and waits until nothing waits and the work on every item is done. Cancel safe: the queue stays shut
    /// down.
    pub async fn shut_down_with_drain(&self) {
        self.shut_down();
        loop {
            let mut drained = pin!(self.0.drained.notified());
            drained.as_mut().enable();
            if self.0.items.lock().is_drained() {
                return;
            }
            drained.await;
        }
    }

    /// True once the queue was shut down.
    pub fn is_shut_down(&self) -> bool {
        self.0.items.lock().is_shut_down()
    }

    /// An item, or `None` at the end; an error with the soonest time where there is nothing yet.
    fn take(&self) -> Result<Option<Processing<T>>, Option<Instant>> {
        self.promote();
        let now = Instant::now();
        let mut items = self.0.items.lock();
        let Some((item, priority, waited)) = items.take(now) else {
            return if items.is_shut_down() {
                Ok(None)
            } else {
                Err(items.soonest())
            };
        };
        let depth = items.depth();
        drop(items);
        if depth > 0 {
            // Several items may have become due at once, of which one waiter was told.
            self.0.changed.notify_one();
        }
        self.0.metrics.queue_taken(&self.0.name, waited, depth);
        Ok(Some(Processing {
            item,
            priority,
            queue: self.clone(),
            since: now,
        }))
    }

    /// Lets items wait whose time has come.
    fn promote(&self) {
        let mut items = self.0.items.lock();
        let before = items.depth();
        items.promote(Instant::now());
        let depth = items.depth();
        drop(items);
        (before..depth).for_each(|before| self.0.metrics.queue_added(&self.0.name, before + 1));
    }

    fn done(&self, item: &T, since: Instant) {
        let mut items = self.0.items.lock();
        let waits_again = items.done(item, Instant::now());
        let (depth, drained) = (items.depth(), items.is_drained());
        drop(items);
        self.0.metrics.queue_done(&self.0.name, since.elapsed());
        if waits_again {
            self.0.metrics.queue_added(&self.0.name, depth);
            self.0.changed.notify_one();
        }
        if drained {
            self.0.drained.notify_waiters();
        }
    }
}

/// An item that somebody works on. Dropping it says that the work is done.
pub struct Processing<T: Item> {
    item: T,
    priority: i32,
    queue: WorkQueue<T>,
    since: Instant,
}

impl<T: Item> Processing<T> {
    /// The priority that the item had.
    pub fn priority(&self) -> i32 {
        self.priority
    }
}

impl<T: Item> Deref for Processing<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T: Item> Drop for Processing<T> {
    fn drop(&mut self) {
        self.queue.done(&self.item, self.since);
    }
}

impl<T: Item + fmt::Debug> fmt::Debug for Processing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Processing").field(&self.item).finish()
    }
}

impl<T: Item> Clone for WorkQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Item> fmt::Debug for WorkQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkQueue")
            .field("name", &self.0.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
