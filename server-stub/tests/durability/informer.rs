//! An ordinary informer, and what its handler is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::Clientset;
use kubewire_informers::{EventHandlerFuncs, SharedInformer, SharedInformerFactory};
use parking_lot::Mutex;

use crate::history::{Event, check_order, contents, key_and_value, version};

pub(crate) struct Watcher {
    factory: SharedInformerFactory,
    informer: SharedInformer<ConfigMap>,
    seen: Arc<Mutex<BTreeMap<String, Vec<Event>>>>,
}

impl Watcher {
    pub(crate) async fn start(clientset: &Clientset) -> Self {
        let factory = SharedInformerFactory::builder(clientset.clone())
            .namespace("default")
            .build();
        let informer = factory.informer::<ConfigMap>();
        let seen = Arc::new(Mutex::new(BTreeMap::<String, Vec<Event>>::new()));
        let (added, changed) = (seen.clone(), seen.clone());
        let note = |seen: &Mutex<BTreeMap<String, Vec<Event>>>, object: &ConfigMap| {
            if let Some((key, value)) = key_and_value(object) {
                let event = Event {
                    version: version(object),
                    value: Some(value),
                };
                seen.lock().entry(key).or_default().push(event);
            }
        };
        let handler = EventHandlerFuncs::new()
            .on_add(move |object, _| note(&added, &object.decode().unwrap()))
            .on_update(move |old, new| {
                let (old, new) = (old.decode().unwrap(), new.decode().unwrap());
                assert!(version(&old) < version(&new), "an update to an older version");
                note(&changed, &new);
            });
        informer.add_handler(handler).unwrap();
        factory.start();
        factory.wait_for_cache_sync().await.unwrap();
        Self {
            factory,
            informer,
            seen,
        }
    }

    /// What the cache holds.
    pub(crate) fn contents(&self) -> BTreeMap<String, String> {
        let objects = self.informer.lister().list();
        contents(objects.iter().map(|object| (*object.decode().unwrap()).clone()))
    }

    /// No object was told twice in one version, or in an older one.
    pub(crate) async fn check(self) {
        self.factory.shutdown().await;
        for (key, events) in &*self.seen.lock() {
            check_order(key, events);
        }
    }
}
