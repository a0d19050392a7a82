//! The handler whose reading is measured.

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kubewire_informers::{CachedObject, EventHandler};
use tokio::sync::watch;

/// How far the handler has come.
pub(crate) struct Progress {
    added: watch::Sender<usize>,
    sentinel: watch::Sender<bool>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            added: watch::Sender::new(0),
            sentinel: watch::Sender::new(false),
        }
    }
}

impl Progress {
    /// Waits until the handler has been told of so many pods.
    pub(crate) async fn added(&self, count: usize) {
        let mut added = self.added.subscribe();
        // The sender lives as long as this.
        let _ = added.wait_for(|added| *added >= count).await;
    }

    /// Waits until the handler has been told of the pod with the label `sentinel`.
    pub(crate) async fn sentinel(&self) {
        let mut sentinel = self.sentinel.subscribe();
        let _ = sentinel.wait_for(|seen| *seen).await;
    }
}

/// Reads what every event brings.
pub(crate) struct Reading {
    read_object: bool,
    progress: Arc<Progress>,
}

impl Reading {
    pub(crate) fn new(read_object: bool, progress: Arc<Progress>) -> Self {
        Self { read_object, progress }
    }

    fn read(&self, pod: &CachedObject<Pod>) {
        if self.read_object {
            match black_box(pod.decode()) {
                Ok(_) => {}
                Err(error) => eprintln!("{error}"),
            }
        }
        black_box((pod.name(), pod.namespace(), pod.resource_version()));
        for label in pod.labels() {
            black_box(label);
            if label.0 == "sentinel" {
                self.progress.sentinel.send_replace(true);
            }
        }
    }
}

#[async_trait]
impl EventHandler<Pod> for Reading {
    async fn on_add(&mut self, pod: &CachedObject<Pod>, _: bool) {
        self.read(pod);
        self.progress.added.send_modify(|added| *added += 1);
    }

    async fn on_update(&mut self, _: &CachedObject<Pod>, new: &CachedObject<Pod>) {
        self.read(new);
    }
}
