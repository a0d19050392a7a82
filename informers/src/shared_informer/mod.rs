//! One watch of a collection that many parts of a program share.
//!
//! The contract, which is client-go's with the gaps closed. Each sentence has a number, by which the test names it that proves it.
//! - **I1** A [`SharedInformer`] keeps a store equal to a collection, through a [`Reflector`](crate::reflector), and
//!   tells handlers what changes. **I2** The store is never ahead of the cluster, and reaches every state that lasts.
//! - **I3** Per object a handler is told in order: `on_add`, any number of `on_update` and `on_sync`, `on_delete`;
//!   between objects there is no order. **I4** Every handler is told of the last state of every object; states in
//!   between may be left out, and an object that came and went before a handler got to it is not mentioned.
//! - **I5** By the time a handler is told of a state, the store has had it, and may have a later one.
//! - **I6** `on_update` has two states of one object (the same uid). **I7** An object that was deleted and created anew
//!   is told as `on_delete` and `on_add`, with `final_state_known` false where nobody saw the deletion.
//! - **I8** Handlers run in tasks of their own, each behind a queue that coalesces per object: a slow one, or one that
//!   panics, harms nobody else, and memory is bounded by the number of objects.
//! - **I9** A handler that comes late is first told of everything in the store (`is_in_initial_list`), then of what
//!   changes; nothing is missed or told twice in between.
//! - **I10** `on_sync` comes once per resync period (and at most a twentieth later, so that not all come at once) for
//!   every object, from the store, without any request to the server.
//! - **I11** Events can be had as a stream ([`events`](SharedInformer::events)), by the same rules as a handler.
//! - **I12** Once [`wait_for_version`](SharedInformer::wait_for_version) returns, the store has that version or a later
//!   one.
//! - **I13** The informer runs while somebody has a handle, a lister or a stream of it.
//! - **I14** Stopping cancels requests, lets handler calls that have begun come to their end, and joins every task.
//! - **I15** Where an index function, a transform or a hook panics, the informer stops: its store could not be relied
//!   on any more.

mod changes;
mod events;
#[cfg(test)]
mod fault_run;
#[cfg(test)]
mod faults;
mod handle;
mod handler;
mod processor;
#[cfg(test)]
mod properties;
mod queue;
mod registration;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod users;

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kubewire_client::{Decode, ResourceVersion};
use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use events::{Event, Events};
pub use handler::{EventHandler, EventHandlerFuncs};
pub use registration::{HandlerRegistration, HandlerRemoved, HandlerStats};

use self::events::Forward;
use self::handle::{Handle, Handles};
use self::processor::{HandlerTask, Processor};
use self::queue::{Notification, NotificationQueue};
use crate::cache::{CachedObject, IndexError, Indexer, Lister};
use crate::delta_fifo::DeltaFifo;
use crate::metrics::Metrics;
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
    /// Notifications of all handlers that became one with a later one, because a handler was busy.
    pub coalesced: u64,
    /// Objects that the store, or some handler, has still to be told about.
    pub pending: usize,
}

/// One watch of a collection that many share; see the [module](self). Cloning gives another handle; the informer stops
/// when the last handle, [`Lister`] and [`Events`] are dropped. One of a factory is kept by its handlers as well.
pub struct SharedInformer<K: Decode> {
    core: Arc<Core<K>>,
    /// Keeps the informer running.
    handle: Option<Arc<Handle<K>>>,
}

/// What the tasks of an informer share.
struct Core<K: Decode> {
    reflector: Reflector<K, DeltaFifo<K>>,
    fifo: Arc<DeltaFifo<K>>,
    indexer: Arc<Indexer<K>>,
    processor: Mutex<Processor<K>>,
    resync: Duration,
    started: Mutex<Option<Instant>>,
    /// From the start until the store had the first list.
    synced: watch::Sender<Option<Duration>>,
    /// The version that the store has reached.
    version: watch::Sender<ResourceVersion>,
    metrics: Arc<dyn Metrics>,
    handles: Handles<K>,
    /// Handlers keep the informer running, like handles.
    kept_by_handlers: bool,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl<K: Decode> SharedInformer<K> {
    /// An informer of what `source` lists and watches; does nothing before [`start`](SharedInformer::start).
    pub fn new(source: Arc<dyn ListWatch>, options: InformerOptions) -> Self
    where
        K: Decode<Context = ()>,
    {
        Self::with_context(source, (), options)
    }

    /// Like [`new`](SharedInformer::new), for objects that are not decoded by their type alone.
    pub fn with_context(source: Arc<dyn ListWatch>, context: K::Context, options: InformerOptions) -> Self {
        Self::build(source, context, options, false)
    }

    pub(crate) fn build(
        source: Arc<dyn ListWatch>,
        context: K::Context,
        options: InformerOptions,
        kept_by_handlers: bool,
    ) -> Self {
        let indexer = Arc::new(Indexer::new());
        let fifo = Arc::new(DeltaFifo::new(indexer.clone()));
        let core = Arc::new(Core {
            metrics: options.reflector.metrics.clone(),
            reflector: Reflector::new(source, fifo.clone(), context, options.reflector),
            fifo,
            indexer,
            processor: Mutex::new(Processor::new()),
            resync: options.resync,
            started: Mutex::new(None),
            synced: watch::Sender::new(None),
            version: watch::Sender::new(ResourceVersion::default()),
            handles: Handles::new(),
            kept_by_handlers,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let handle = core.handle();
        Self { core, handle }
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
        core.processor.lock().start(core, runtime::Handle::current());
        let (reflecting, processing) = (core.clone(), core.clone());
        core.tasks.spawn(async move {
            let reflect = reflecting.reflector.run(reflecting.stop.clone());
            reflecting.run(reflect).await;
        });
        core.tasks.spawn(async move {
            let process = async {
                loop {
                    processing.process(processing.fifo.pop().await)
                }
            };
            processing.run(process).await;
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
        let task = HandlerTask {
            handler: Box::new(handler),
            queue: queue.clone(),
            resync: Some(resync),
            stop: stop.clone(),
        };
        let id = processor.add(core, task);
        Ok(HandlerRegistration::new(core, id, queue, stop))
    }

    /// The events as a stream, which begins with everything in the store; it has `Synced` events at the informer's
    /// resync period. Dropping it removes it.
    ///
    /// ```no_run
    /// # async fn example(pods: kubewire_informers::SharedInformer<k8s_openapi::api::core::v1::Pod>) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures::StreamExt;
    /// use kubewire_informers::Event;
    /// let mut events = pods.events()?;
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         Event::Deleted { object, .. } => println!("{} is gone", object.key()),
    ///         other => println!("{} is at {}", other.object().key(), other.object().resource_version()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> Result<Events<K>, InformerStopped> {
        let (sender, receiver) = mpsc::channel(1);
        let registration = self.add_handler(Forward {
            sender,
            stop: self.core.stop.clone(),
        })?;
        Ok(Events::new(receiver, registration, self.keep()))
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
        Lister::of_informer(self.core.indexer.clone(), self.keep())
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

    /// The version that the store has reached; unset before the first list.
    pub fn last_sync_resource_version(&self) -> ResourceVersion {
        self.core.version.borrow().clone()
    }

    /// Waits until the store has reached a version, such as that of an object that was just written: from then on a
    /// lister shows that write or what came after it. As long as that takes; cancel safe.
    ///
    /// Versions can be compared where they are numbers, as those of kube-apiserver are; any other has to be met exactly.
    pub async fn wait_for_version(&self, version: &ResourceVersion) -> Result<(), InformerStopped> {
        let mut reached = self.core.version.subscribe();
        let is_there = |reached: &ResourceVersion| match (reached.as_number(), version.as_number()) {
            (Some(reached), Some(version)) => reached >= version,
            _ => reached == version,
        };
        let wait = self.core.stop.run_until_cancelled(reached.wait_for(is_there));
        match wait.await {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(self.stopped()),
        }
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
            coalesced: processor.coalesced(),
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

    /// True once every task of a stopped informer has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_stopped() && self.core.tasks.is_empty()
    }

    fn keep(&self) -> Option<Arc<dyn Send + Sync>> {
        let handle = self.handle.clone()?;
        Some(handle)
    }

    fn stopped(&self) -> InformerStopped {
        InformerStopped {
            informer: self.describe(),
        }
    }
}

impl<K: Decode> Core<K> {
    /// Works until the informer stops, which a panic of something that the user has given makes it do.
    async fn run(&self, work: impl Future<Output = ()>) {
        let work = AssertUnwindSafe(self.stop.run_until_cancelled(work)).catch_unwind();
        if work.await.is_err() {
            tracing::error!(
                of = self.reflector.describe(),
                "an index, a transform or a hook panicked; the informer stops"
            );
            self.stop.cancel();
        }
        self.forget_if_unused();
    }

    /// Changes the store, and then tells the handlers. Nobody can join in between.
    fn process(&self, batch: crate::delta_fifo::Batch<K>) {
        let mut processor = self.processor.lock();
        let first_list = batch.is_replacement() && !processor.synced;
        let (version, waited) = (batch.version().cloned(), batch.waited());
        let notifications = self
            .indexer
            .change(|objects| changes::apply(objects, batch, first_list));
        processor.distribute(notifications);
        if first_list {
            processor.end_initial_list();
            let started = *self.started.lock();
            self.synced.send_replace(started.map(|started| started.elapsed()));
        }
        if let Some(version) = version {
            self.version.send_replace(version);
        }
        let (objects, bytes) = (self.indexer.len(), self.indexer.bytes());
        self.metrics
            .store_changed(&self.reflector.describe(), objects, bytes, waited);
    }

    /// Tells one handler of everything that the store has.
    fn resync(&self, queue: &NotificationQueue<K>) {
        let _processor = self.processor.lock();
        queue.push(self.indexer.list().into_iter().map(Notification::Sync));
    }
}

impl<K: Decode> Clone for SharedInformer<K> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            handle: self.handle.clone(),
        }
    }
}

impl<K: Decode> fmt::Debug for SharedInformer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedInformer")
            .field("of", &self.describe())
            .field("synced", &self.has_synced())
            .finish_non_exhaustive()
    }
}
