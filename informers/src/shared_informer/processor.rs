//! The handlers of an informer and the tasks that serve them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kubewire_client::Decode;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::queue::{Notification, NotificationQueue};
use super::{Core, EventHandler};
use crate::random::random;

/// How much longer than its period a resync may take, so that not all come at once.
const RESYNC_JITTER: f64 = 0.05;

/// The handlers of an informer. Its lock orders changes of the store and the arrival of handlers.
pub(super) struct Processor<K: Decode> {
    handlers: HashMap<u64, Arc<NotificationQueue<K>>>,
    next_id: u64,
    /// Handlers that came before the informer started.
    waiting: Vec<HandlerTask<K>>,
    /// Where tasks are spawned, once the informer has started.
    runtime: Option<Handle>,
    /// True once the store has taken over a whole list.
    pub(super) synced: bool,
}

/// A handler with everything that its task needs.
pub(super) struct HandlerTask<K: Decode> {
    pub(super) handler: Box<dyn EventHandler<K>>,
    pub(super) queue: Arc<NotificationQueue<K>>,
    pub(super) resync: Option<Duration>,
    pub(super) stop: CancellationToken,
}

impl<K: Decode> Processor<K> {
    pub(super) fn new() -> Self {
        Self {
            handlers: HashMap::new(),
            next_id: 0,
            waiting: Vec::new(),
            runtime: None,
            synced: false,
        }
    }

    /// Takes in a handler; it is told of everything that the store has, and of every change from then on.
    pub(super) fn add(&mut self, core: &Arc<Core<K>>, task: HandlerTask<K>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let initial = core.indexer.list().into_iter().map(|object| Notification::Add {
            object,
            is_in_initial_list: true,
        });
        task.queue.push(initial);
        if self.synced {
            task.queue.end_initial_list();
        }
        self.handlers.insert(id, task.queue.clone());
        match &self.runtime {
            Some(runtime) => task.spawn(core.clone(), runtime, &core.tasks),
            None => self.waiting.push(task),
        }
        id
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.handlers.remove(&id);
    }

    /// Starts the tasks of the handlers that are there; later ones start when they come.
    pub(super) fn start(&mut self, core: &Arc<Core<K>>, runtime: Handle) {
        for task in self.waiting.drain(..) {
            task.spawn(core.clone(), &runtime, &core.tasks);
        }
        self.runtime = Some(runtime);
    }

    pub(super) fn distribute(&self, notifications: Vec<Notification<K>>) {
        let mut queues = self.handlers.values();
        let last = queues.next();
        queues.for_each(|queue| queue.push(notifications.iter().cloned()));
        if let Some(last) = last {
            last.push(notifications);
        }
    }

    /// The store has taken over a whole list, and every handler has been told of it.
    pub(super) fn end_initial_list(&mut self) {
        self.synced = true;
        self.handlers.values().for_each(|queue| queue.end_initial_list());
    }

    pub(super) fn len(&self) -> usize {
        self.handlers.len()
    }

    pub(super) fn coalesced(&self) -> u64 {
        self.handlers.values().map(|queue| queue.stats().coalesced).sum()
    }

    /// About how many objects some handler has still to be told.
    pub(super) fn pending(&self) -> usize {
        self.handlers.values().map(|queue| queue.len()).sum()
    }
}

impl<K: Decode> HandlerTask<K> {
    fn spawn(self, core: Arc<Core<K>>, runtime: &Handle, tasks: &TaskTracker) {
        tasks.spawn_on(self.run(core), runtime);
    }

    /// Serves the handler until it is removed or the informer stops; a call that has begun comes to its end.
    async fn run(mut self, core: Arc<Core<K>>) {
        let mut resync = self.resync.filter(|period| !period.is_zero()).map(Resync::new);
        let (queue, stop) = (self.queue.clone(), self.stop.clone());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = due(resync.as_mut()) => core.resync(&queue),
                notifications = queue.pop() => {
                    for notification in notifications.take_while(|_| !stop.is_cancelled()) {
                        self.tell(&core, notification).await;
                    }
                }
            }
        }
    }

    async fn tell(&mut self, core: &Core<K>, notification: Notification<K>) {
        let handler = &mut self.handler;
        let call = async {
            match &notification {
                Notification::Add {
                    object,
                    is_in_initial_list,
                } => handler.on_add(object, *is_in_initial_list).await,
                Notification::Update { old, new } => handler.on_update(old, new).await,
                Notification::Sync(object) => handler.on_sync(object).await,
                Notification::Delete {
                    object,
                    final_state_known,
                } => handler.on_delete(object, *final_state_known).await,
            }
        };
        if AssertUnwindSafe(call).catch_unwind().await.is_err() {
            self.queue.count_panic();
            tracing::error!(
                of = core.reflector.describe(),
                "an event handler panicked; it goes on with the next event"
            );
        }
    }
}

/// When a handler is to be told of everything anew.
struct Resync {
    period: Duration,
    due: Instant,
}

impl Resync {
    fn new(period: Duration) -> Self {
        let mut resync = Self {
            period,
            due: Instant::now(),
        };
        resync.again();
        resync
    }

    fn again(&mut self) {
        self.due = Instant::now() + self.period + self.period.mul_f64(RESYNC_JITTER * random());
    }
}

async fn due(resync: Option<&mut Resync>) {
    match resync {
        Some(resync) => {
            sleep_until(resync.due).await;
            resync.again();
        }
        None => std::future::pending().await,
    }
}
