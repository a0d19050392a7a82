//! A loop that brings the world to the wished-for state, one item at a time.
//!
//! The contract. Each sentence has a number, by which the test names it that proves it.
//! - **K1** What informers tell becomes items, as a rule keys of objects, in a [`WorkQueue`]; a [`Reconciler`] is
//!   called with each. **K2** It reads what is there now and does what is missing: it is not told what has changed.
//! - **K3** Reconciling begins when every watched informer has told of its initial list.
//! - **K4** At most so many calls run at once ([`concurrency`](Controller::concurrency)), and never two for the same
//!   item.
//! - **K5** After a failure or a panic the item comes back by the queue's rate limiter, later each time. **K6** After a
//!   success it comes back when the answer says so ([`Action`]).
//! - **K7** What changes comes before what is merely there: items of the initial list and of resyncs have a low
//!   priority, also when they come back.
//! - **K8** Stopping lets the calls that have begun come to their end and begins no others.

mod enqueue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::join_all;
use kubewire_client::{Decode, ObjectKey};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::enqueue::Enqueue;
use crate::cache::CachedObject;
use crate::shared_informer::{HandlerRegistration, HandlerRemoved, InformerStopped, SharedInformer};
use crate::workqueue::{Item, Processing, WorkQueue};

/// When an item that was reconciled comes back without anything having changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Not at all.
    #[default]
    Done,
    /// After so much time.
    RequeueAfter(Duration),
    /// By the rate limiter, as after a failure.
    Requeue,
}

/// Why an item could not be reconciled.
pub type ReconcileError = Box<dyn std::error::Error + Send + Sync>;

/// Brings what an item stands for to its wished-for state.
///
/// A closure that takes the item and gives a future is one.
#[async_trait]
pub trait Reconciler<T>: Send + Sync + 'static {
    /// Called for one item, never twice at the same time for equal ones. It must be harmless to call it again.
    async fn reconcile(&self, item: &T) -> Result<Action, ReconcileError>;
}

#[async_trait]
impl<T, F, R> Reconciler<T> for F
where
    T: Item,
    F: Fn(T) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Action, ReconcileError>> + Send,
{
    async fn reconcile(&self, item: &T) -> Result<Action, ReconcileError> {
        self(item.clone()).await
    }
}

/// A loop over a work queue; see the [module](self).
///
/// ```no_run
/// use k8s_openapi::api::apps::v1::Deployment;
/// use kubewire_informers::controller::{Action, Controller};
/// use kubewire_client::{Clientset, ObjectKey};
/// use kubewire_informers::SharedInformerFactory;
/// use tokio_util::sync::CancellationToken;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let factory = SharedInformerFactory::new(Clientset::try_default()?);
/// let deployments = factory.informer::<Deployment>();
/// let mut controller = Controller::new("deployments").concurrency(4);
/// controller.watch_keys(&deployments)?;
/// factory.start();
///
/// let lister = deployments.lister();
/// let reconcile = move |key: ObjectKey| {
///     let deployment = lister.get(&key);
///     async move {
///         match deployment {
///             Some(deployment) => println!("{key} is at {}", deployment.resource_version()),
///             None => println!("{key} is gone"),
///         }
///         Ok(Action::Done)
///     }
/// };
/// controller.run(reconcile, CancellationToken::new()).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a controller does nothing before it runs"]
pub struct Controller<T: Item> {
    queue: WorkQueue<T>,
    concurrency: usize,
    registrations: Vec<HandlerRegistration>,
}

impl<T: Item + fmt::Debug> Controller<T> {
    /// A controller with a queue of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_queue(WorkQueue::new(name))
    }

    /// A controller with a queue of its own rate limiter or metrics.
    pub fn with_queue(queue: WorkQueue<T>) -> Self {
        Self {
            queue,
            concurrency: 1,
            registrations: Vec::new(),
        }
    }

    /// How many calls run at once at most, each in a task of its own. Default 1.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.max(1);
        self
    }

    /// The queue, to add to it from elsewhere.
    pub fn queue(&self) -> &WorkQueue<T> {
        &self.queue
    }

    /// Adds the items that `items` names for each object that an informer tells of: added, changed (as it was, and as
    /// it is now), deleted, or due for a resync.
    pub fn watch<K: Decode>(
        &mut self,
        informer: &SharedInformer<K>,
        items: impl Fn(&CachedObject<K>) -> Vec<T> + Send + 'static,
    ) -> Result<(), InformerStopped> {
        let handler = Enqueue::new(self.queue.clone(), items);
        self.registrations.push(informer.add_handler(handler)?);
        Ok(())
    }

    /// Works until `stop` is cancelled; then waits for the calls that have begun.
    ///
    /// Not cancel safe: calls under way are dropped with the future.
    ///
    /// # Errors
    /// A watched informer has stopped before it told of its initial list.
    pub async fn run(self, reconciler: impl Reconciler<T>, stop: CancellationToken) -> Result<(), HandlerRemoved> {
        let synced = join_all(self.registrations.iter().map(HandlerRegistration::wait_for_sync));
        let synced = stop.run_until_cancelled(synced).await.unwrap_or_default();
        let result: Result<(), HandlerRemoved> = synced.into_iter().collect();
        if result.is_ok() {
            let reconciler = Arc::new(reconciler);
            let worker = |_| work(self.queue.clone(), reconciler.clone(), stop.clone());
            let mut workers: JoinSet<()> = (0..self.concurrency).map(worker).collect();
            while workers.join_next().await.is_some() {}
        }
        self.registrations.iter().for_each(HandlerRegistration::remove);
        self.queue.shut_down();
        result
    }
}

/// Works on one item after the other until it is stopped.
async fn work<T: Item + fmt::Debug>(queue: WorkQueue<T>, reconciler: Arc<impl Reconciler<T>>, stop: CancellationToken) {
    while let Some(Some(item)) = stop.run_until_cancelled(queue.get()).await {
        let call = AssertUnwindSafe(reconciler.reconcile(&item)).catch_unwind();
        match call.await {
            Ok(Ok(action)) => succeeded(&queue, &item, action),
            Ok(Err(error)) => failed(&queue, &item, &*error),
            Err(_) => failed(&queue, &item, &"it panicked"),
        }
    }
}

fn succeeded<T: Item>(queue: &WorkQueue<T>, item: &Processing<T>, action: Action) {
    let again = T::clone(item);
    match action {
        Action::Done => queue.forget(item),
        Action::RequeueAfter(delay) => {
            queue.forget(item);
            queue.add_after_with_priority(again, delay, item.priority());
        }
        Action::Requeue => queue.add_rate_limited_with_priority(again, item.priority()),
    }
}

fn failed<T: Item + fmt::Debug>(queue: &WorkQueue<T>, item: &Processing<T>, error: &(impl fmt::Display + ?Sized)) {
    let (controller, tries) = (queue.name(), queue.requeues(item) + 1);
    tracing::warn!(controller, ?item, tries, %error, "reconciling failed, trying again");
    queue.add_rate_limited_with_priority(T::clone(item), item.priority());
}

impl Controller<ObjectKey> {
    /// Adds the key of every object that an informer tells of.
    pub fn watch_keys<K: Decode>(&mut self, informer: &SharedInformer<K>) -> Result<(), InformerStopped> {
        self.watch(informer, |object| vec![object.key()])
    }
}

impl<T: Item + fmt::Debug> fmt::Debug for Controller<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("queue", &self.queue)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
