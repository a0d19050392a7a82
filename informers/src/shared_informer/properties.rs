//! Whatever happens, and whoever is behind: in the end the store and what each handler has been told equal the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::processor::HandlerTask;
use super::queue::{Notification, NotificationQueue};
use super::{EventHandlerFuncs, InformerOptions, SharedInformer};
use crate::cache::CachedObject;
use crate::fake::{cached, reborn, source};
use crate::reflector::ReflectorStore;

#[derive(Clone, Debug)]
enum Step {
    /// An object is created or changed, and the watch reports it.
    Put(u8),
    /// An object is deleted, and the watch reports it.
    Delete(u8),
    /// The same without a report: the watch is broken.
    PutUnseen(u8),
    DeleteUnseen(u8),
    /// The collection is listed.
    List,
    /// The store takes what is pending.
    Process,
    /// A handler joins.
    Join,
    /// A handler is told of so many objects.
    Tell(u8, u8),
    /// A handler's resync period has passed.
    Resync(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..4_u8;
    let step = prop_oneof![
        6 => name.clone().prop_map(Step::Put),
        4 => name.clone().prop_map(Step::Delete),
        2 => name.clone().prop_map(Step::PutUnseen),
        2 => name.prop_map(Step::DeleteUnseen),
        2 => Just(Step::List),
        4 => Just(Step::Process),
        1 => Just(Step::Join),
        4 => (0..4_u8, 1..4_u8).prop_map(|(handler, count)| Step::Tell(handler, count)),
        1 => (0..4_u8).prop_map(Step::Resync),
    ];
    proptest::collection::vec(step, 0..80)
}

type Map = CachedObject<ConfigMap>;

/// Uid and version by name.
type View = BTreeMap<String, (String, u64)>;

fn view_of(object: &Map) -> (String, u64) {
    let header = object.header();
    (header.uid.clone(), header.resource_version.as_number().unwrap())
}

/// A handler that keeps a view and insists that it is told nothing impossible.
struct Viewer {
    queue: Arc<NotificationQueue<ConfigMap>>,
    view: View,
}

impl Viewer {
    fn tell(&mut self, count: usize) {
        for _ in 0..count {
            let Some(notifications) = self.queue.pop().now_or_never() else {
                return;
            };
            notifications.for_each(|notification| self.take(notification));
        }
    }

    fn take(&mut self, notification: Notification<ConfigMap>) {
        let name = |object: &Map| object.key().name.clone();
        match notification {
            Notification::Add { object, .. } => {
                let old = self.view.insert(name(&object), view_of(&object));
                assert_eq!(old, None, "added twice: {object:?}");
            }
            Notification::Update { old, new } => {
                assert!(old.is_same_object(&new));
                let known = self.view.insert(name(&new), view_of(&new));
                assert_eq!(known, Some(view_of(&old)), "the old state is the one told last");
            }
            Notification::Sync(object) => assert_eq!(self.view.get(&name(&object)), Some(&view_of(&object))),
            Notification::Delete { object, .. } => {
                let known = self.view.remove(&name(&object)).expect("deleted without being there");
                assert_eq!(known.0, view_of(&object).0, "it is that object which is gone");
            }
        }
    }
}

struct World {
    informer: SharedInformer<ConfigMap>,
    viewers: Vec<Viewer>,
    cluster: View,
    version: u64,
    /// False between an unseen change and the next list.
    watching: bool,
}

impl World {
    fn new() -> Self {
        Self {
            informer: SharedInformer::new(source().0, InformerOptions::default()),
            viewers: Vec::new(),
            cluster: View::new(),
            version: 0,
            watching: false,
        }
    }

    fn step(&mut self, step: Step) {
        let fifo = self.informer.core.fifo.clone();
        match step {
            Step::Put(name) if self.watching => {
                let (is_new, object) = self.put(name);
                if is_new { fifo.add(object) } else { fifo.update(object) }
            }
            Step::Delete(name) if self.watching => {
                if let Some(object) = self.delete(name) {
                    fifo.delete(object);
                }
            }
            Step::Put(name) | Step::PutUnseen(name) => {
                self.put(name);
                self.watching = false;
            }
            Step::Delete(name) | Step::DeleteUnseen(name) => {
                self.delete(name);
                self.watching = false;
            }
            Step::List => {
                let objects = self
                    .cluster
                    .iter()
                    .map(|(name, (uid, version))| cached(&reborn(name, uid, *version)));
                fifo.replace(objects.collect());
                self.watching = true;
            }
            Step::Process => {
                if let Some(batch) = fifo.pop().now_or_never() {
                    self.informer.core.process(batch);
                }
            }
            Step::Join => self.join(),
            Step::Tell(handler, count) => {
                if let Some(viewer) = self.viewers.get_mut(usize::from(handler)) {
                    viewer.tell(count.into());
                }
            }
            Step::Resync(handler) => {
                if let Some(viewer) = self.viewers.get(usize::from(handler)) {
                    self.informer.core.resync(&viewer.queue);
                }
            }
        }
    }

    fn put(&mut self, name: u8) -> (bool, Map) {
        self.version += 1;
        let (name, version) = (name.to_string(), self.version);
        let is_new = !self.cluster.contains_key(&name);
        let state = self
            .cluster
            .entry(name.clone())
            .or_insert((format!("uid-{version}"), 0));
        state.1 = version;
        (is_new, cached(&reborn(&name, &state.0, version)))
    }

    fn delete(&mut self, name: u8) -> Option<Map> {
        let name = name.to_string();
        let (uid, _) = self.cluster.remove(&name)?;
        self.version += 1;
        Some(cached(&reborn(&name, &uid, self.version)))
    }

    fn join(&mut self) {
        let queue = Arc::new(NotificationQueue::new());
        let task = HandlerTask {
            handler: Box::new(EventHandlerFuncs::new()),
            queue: queue.clone(),
            resync: None,
            stop: CancellationToken::new(),
        };
        let core = &self.informer.core;
        core.processor.lock().add(core, task);
        self.viewers.push(Viewer {
            queue,
            view: View::new(),
        });
    }

    fn store(&self) -> View {
        let objects = self.informer.lister().list();
        objects
            .iter()
            .map(|object| (object.key().name.clone(), view_of(object)))
            .collect()
    }
}

proptest! {
    /// Proves I3 I6.
    #[test]
    fn everybody_sees_the_cluster_in_the_end(steps in steps()) {
        let mut world = World::new();
        world.join();
        for step in steps {
            world.step(step);
            for viewer in &world.viewers {
                let known: std::collections::BTreeSet<_> = viewer.view.keys().cloned().chain(world.store().into_keys()).collect();
                prop_assert!(viewer.queue.len() <= known.len(), "nothing is pending but what was told or is to be told");
            }
        }
        if !world.watching {
            world.step(Step::List);
        }
        world.step(Step::Process);
        world.join();
        let store = world.store();
        prop_assert_eq!(&store, &world.cluster);
        for viewer in &mut world.viewers {
            viewer.tell(usize::MAX);
            prop_assert_eq!(&viewer.view, &store);
            prop_assert!(*viewer.queue.synced().borrow());
            prop_assert_eq!(viewer.queue.len(), 0);
        }
    }
}
