//! One watch of a collection that many parts of a program share.
//!
//! The contract, which is client-go's with the gaps closed:
//! - A [`SharedInformer`] keeps a store equal to a collection, through a [`Reflector`](crate::reflector), and tells
//!   handlers what changes. The store is never ahead of the cluster, and reaches every state that lasts.
//! - Per object a handler is told in order: `on_add`, any number of `on_update` and `on_sync`, `on_delete`. Between
//!   objects there is no order. Every handler is told of the last state of every object; states in between may be
//!   left out, and an object that came and went before a handler got to it is not mentioned.
//! - By the time a handler is told of a state, the store has had it. It may have a later one by then.
//! - `on_update` has two states of one object (the same uid). An object that was deleted and created anew is told as
//!   `on_delete` and `on_add`, with `final_state_known` false where nobody saw the deletion.
//! - Handlers run in tasks of their own, each behind a queue that coalesces per object: a slow one, or one that
//!   panics, harms nobody else, and memory is bounded by the number of objects.
//! - A handler that comes late is first told of everything in the store (`is_in_initial_list`), then of what changes;
//!   nothing is missed or told twice in between.
//! - `on_sync` comes once per resync period for every object, from the store, without any request to the server.
//! - Stopping cancels requests, lets handler calls that have begun come to their end, and joins every task.

mod changes;
#[cfg(test)]
mod faults;
mod handler;
mod processor;
#[cfg(test)]
mod properties;
mod queue;
mod registration;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kubewire_client::{Object, ResourceVersion};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use handler::{EventHandler, EventHandlerFuncs};
pub use registration::{HandlerRegistration, HandlerRemoved};

use self::processor::{HandlerTask, Processor};
use self::queue::{Notification, NotificationQueue};
use crate::cache::{CachedObject, IndexError, Indexer, Lister};
use crate::delta_fifo::DeltaFifo;
use crate::reflector::{ListWatch, Reflector, ReflectorOptions, ReflectorStats};

/// The resync period where nothing else is said.
pub const DEFAULT_RESYNC: Duration = Duration::from_secs(600);

/// Options of a [`SharedInformer`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InformerOptions {
    /// How often handlers get `on_sync` for every object, unless they ask for a period of their own; zero for never.
    /// Default 10 minutes.
    pub resync: Duration,
    /// How the collection is listed and watched.
    pub reflector: ReflectorOptions,
}

impl Default for InformerOptions {
    fn default() -> Self {
        Self {
            resync: DEFAULT_RESYNC,
            reflector: ReflectorOptions::default(),
        }
    }
}

impl InformerOptions {
    /// Sets how often handlers get `on_sync` for every object; zero for never.
    #[must_use]
    pub fn with_resync(mut self, period: Duration) -> Self {
        self.resync = period;
        self
    }

    /// Sets how the collection is listed and watched.
    #[must_use]
    pub fn with_reflector(mut self, options: ReflectorOptions) -> Self {
        self.reflector = options;
        self
    }
}

/// The informer has stopped; it cannot be started again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the informer of {informer} has stopped")]
pub struct InformerStopped {
    pub(crate) informer: String,
}

/// How an informer stands.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct InformerStats {
    /// Requests, events and errors.
    pub reflector: ReflectorStats,
    /// Objects in the store.
    pub objects: usize,
    /// Bytes of the objects in the store as they arrived.
    pub bytes: usize,
    /// From the start until the store had the first list; `None` before that.
    pub time_to_sync: Option<Duration>,
    /// Handlers.
    pub handlers: usize,
    /// Objects that the store, or some handler, has still to be told about.
    pub pending: usize,
}

/// One watch of a collection that many share; see the [module](self). Cloning gives another handle; when the last one
/// is dropped, the informer stops.
pub struct SharedInformer<K: Object> {
    core: Arc<Core<K>>,
    _stop: Arc<DropGuard>,
}

/// What the tasks of an informer share.
struct Core<K> {
    reflector: Reflector<K, DeltaFifo<K>>,
    fifo: Arc<DeltaFifo<K>>,
    indexer: Arc<Indexer<K>>,
    processor: Mutex<Processor<K>>,
    resync: Duration,
    started: Mutex<Option<Instant>>,
    /// From the start until the store had the first list.
    synced: watch::Sender<Option<Duration>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl<K: Object> SharedInformer<K> {
    /// An informer of what `source` lists and watches; does nothing before [`start`](SharedInformer::start).
    pub fn new(source: Arc<dyn ListWatch>, options: InformerOptions) -> Self {
        let indexer = Arc::new(Indexer::new());
        let fifo = Arc::new(DeltaFifo::new(indexer.clone()));
        let stop = CancellationToken::new();
        let core = Core {
            reflector: Reflector::new(source, fifo.clone(), options.reflector),
            fifo,
            indexer,
            processor: Mutex::new(Processor::new()),
            resync: options.resync,
            started: Mutex::new(None),
            synced: watch::Sender::new(None),
            stop: stop.clone(),
            tasks: TaskTracker::new(),
        };
        Self {
            core: Arc::new(core),
            _stop: Arc::new(stop.drop_guard()),
        }
    }

    /// Starts to list and watch; does nothing where that has been done.
    ///
    /// # Panics
    /// Outside of a tokio runtime, like `tokio::spawn`.
    pub fn start(&self) {
        let core = &self.core;
        let mut started = core.started.lock();
        if started.is_some() || core.stop.is_cancelled() {
            return;
        }
        *started = Some(Instant::now());
        core.processor.lock().start(core, Handle::current());
        let reflecting = core.clone();
        core.tasks
            .spawn(async move { reflecting.reflector.run(reflecting.stop.clone()).await });
        let processing = core.clone();
        core.tasks.spawn(async move {
            let process = async {
                loop {
                    processing.process(processing.fifo.pop().await)
                }
            };
            processing.stop.run_until_cancelled(process).await.unwrap_or(())
        });
    }

    /// Adds a handler. Before the start it waits for it; later it is first told of everything in the store.
    ///
    /// It gets `on_sync` at the informer's resync period.
    pub fn add_handler(&self, handler: impl EventHandler<K>) -> Result<HandlerRegistration, InformerStopped> {
        self.add_handler_with_resync(handler, self.core.resync)
    }

    /// Adds a handler with a resync period of its own; zero for no `on_sync`.
    pub fn add_handler_with_resync(
        &self,
        handler: impl EventHandler<K>,
        resync: Duration,
    ) -> Result<HandlerRegistration, InformerStopped> {
        let core = &self.core;
        let queue = Arc::new(NotificationQueue::new());
        let stop = core.stop.child_token();
        let mut processor = core.processor.lock();
        if core.stop.is_cancelled() {
            return Err(self.stopped());
        }
        let synced = queue.synced();
        let task = HandlerTask {
            handler: Box::new(handler),
            queue,
            resync: Some(resync),
            stop: stop.clone(),
        };
        let id = processor.add(core, task);
        let weak = Arc::downgrade(core);
        let remove = move || {
            if let Some(core) = weak.upgrade() {
                core.processor.lock().remove(id);
            }
        };
        Ok(HandlerRegistration::new(synced, stop, Box::new(remove)))
    }

    /// Adds an index to the store; see [`Indexer::add_index`].
    pub fn add_index(
        &self,
        name: &str,
        function: impl Fn(&CachedObject<K>) -> Vec<String> + Send + Sync + 'static,
    ) -> Result<(), IndexError> {
        self.core.indexer.add_index(name, function)
    }

    /// Adds an index that looks inside the objects; see [`Indexer::add_object_index`].
    pub fn add_object_index(
        &self,
        name: &str,
        function: impl Fn(&K) -> Vec<String> + Send + Sync + 'static,
    ) -> Result<(), IndexError> {
        self.core.indexer.add_object_index(name, function)
    }

    /// Reads the store.
    pub fn lister(&self) -> Lister<K> {
        Lister::new(self.core.indexer.clone())
    }

    /// True once the store has had the first list.
    pub fn has_synced(&self) -> bool {
        self.core.synced.borrow().is_some()
    }

    /// Waits until the store has had the first list, as long as that takes. Cancel safe.
    pub async fn wait_for_sync(&self) -> Result<(), InformerStopped> {
        if self.has_synced() {
            return Ok(());
        }
        let mut synced = self.core.synced.subscribe();
        let wait = self.core.stop.run_until_cancelled(synced.wait_for(Option::is_some));
        match wait.await {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(self.stopped()),
        }
    }

    /// The version that the store has reached, or is about to reach.
    pub fn last_sync_resource_version(&self) -> ResourceVersion {
        self.core.reflector.stats().last_resource_version
    }

    /// How the informer stands.
    pub fn stats(&self) -> InformerStats {
        let core = &self.core;
        let processor = core.processor.lock();
        InformerStats {
            reflector: core.reflector.stats(),
            objects: core.indexer.len(),
            bytes: core.indexer.bytes(),
            time_to_sync: *core.synced.borrow(),
            handlers: processor.len(),
            pending: core.fifo.len() + processor.pending(),
        }
    }

    /// What is informed about, for messages: `pods in namespace shop`.
    pub fn describe(&self) -> String {
        self.core.reflector.describe()
    }

    /// Stops the informer and waits until every task has ended. Handler calls that have begun come to their end; a
    /// handler must not await this itself. Cancel safe: the informer stops all the same.
    pub async fn shutdown(&self) {
        self.cancel();
        self.core.tasks.close();
        self.core.tasks.wait().await;
    }

    /// Stops the informer without waiting.
    pub(crate) fn cancel(&self) {
        // Under the lock, so that nobody adds a handler to an informer that stops.
        let _processor = self.core.processor.lock();
        self.core.stop.cancel();
    }

    pub(crate) fn is_started(&self) -> bool {
        self.core.started.lock().is_some()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.core.stop.is_cancelled()
    }

    fn stopped(&self) -> InformerStopped {
        InformerStopped {
            informer: self.describe(),
        }
    }
}

impl<K: Object> Core<K> {
    /// Changes the store, and then tells the handlers. Nobody can join in between.
    fn process(&self, batch: crate::delta_fifo::Batch<K>) {
        let mut processor = self.processor.lock();
        let first_list = batch.is_replacement() && !processor.synced;
        let notifications = self
            .indexer
            .change(|objects| changes::apply(objects, batch, first_list));
        processor.distribute(notifications);
        if first_list {
            processor.end_initial_list();
            let started = *self.started.lock();
            self.synced.send_replace(started.map(|started| started.elapsed()));
        }
    }

    /// Tells one handler of everything that the store has.
    fn resync(&self, queue: &NotificationQueue<K>) {
        let _processor = self.processor.lock();
        queue.push(self.indexer.list().into_iter().map(Notification::Sync));
    }
}

impl<K: Object> Clone for SharedInformer<K> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            _stop: self._stop.clone(),
        }
    }
}

impl<K: Object> fmt::Debug for SharedInformer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedInformer")
            .field("of", &self.describe())
            .field("synced", &self.has_synced())
            .finish_non_exhaustive()
    }
}
