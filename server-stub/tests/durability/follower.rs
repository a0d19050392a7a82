//! A watch that goes on at the version where it was broken off, whatever happens to the server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::{Api, Clientset, ListOptions, ResourceVersion, WatchEvent};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::history::{Event, key_and_value, version};
use crate::until;

type Seen = BTreeMap<String, Vec<Event>>;

pub(crate) struct Follower {
    seen: Arc<Mutex<(Seen, u64)>>,
    task: JoinHandle<()>,
}

impl Follower {
    pub(crate) async fn start(clientset: Clientset) -> Self {
        let api = clientset.core_v1().config_maps("default");
        let from = api.list(&ListOptions::default()).await.unwrap().resource_version;
        let seen = Arc::new(Mutex::new((Seen::new(), 0)));
        let task = tokio::spawn(follow(api, from, seen.clone()));
        Self { seen, task }
    }

    /// Everything that was told, up to this version at least.
    pub(crate) async fn stop(self, version: u64) -> Seen {
        until("the watch comes to the end", || {
            self.seen.lock().1 >= version || self.task.is_finished()
        })
        .await;
        if self.task.is_finished() {
            // It only ends when something is wrong.
            self.task.await.unwrap();
            panic!("the watch ended");
        }
        self.task.abort();
        let seen = self.seen.lock();
        seen.0.clone()
    }
}

async fn follow(api: Api<ConfigMap>, mut from: ResourceVersion, seen: Arc<Mutex<(Seen, u64)>>) {
    loop {
        let options = ListOptions::default().with_resource_version(from.clone());
        let mut events = match api.watch(&options).await {
            Ok(events) => Box::pin(events),
            Err(error) => {
                assert!(!error.is_expired(), "the watch cannot go on: {error:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
        };
        while let Some(event) = events.next().await {
            let (object, deleted) = match event {
                Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => (object, false),
                Ok(WatchEvent::Deleted(object)) => (object, true),
                Ok(_) => continue,
                Err(error) => {
                    assert!(!error.is_expired(), "the watch cannot go on: {error:?}");
                    break;
                }
            };
            let version = version(&object);
            from = version.to_string().into();
            let mut seen = seen.lock();
            seen.1 = version;
            if let Some((key, value)) = key_and_value(&object) {
                let value = (!deleted).then_some(value);
                seen.0.entry(key).or_default().push(Event { version, value });
            }
        }
    }
}
