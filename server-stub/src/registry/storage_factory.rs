//! Which store keeps the objects of a resource, and in what form.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::protobuf_codec::MediaType;
use crate::generic::metrics::Metrics;
use crate::storage::{Measured, Storage};

/// Knows how the objects of each resource are stored.
#[derive(Clone)]
pub struct StorageFactory {
    storage: Arc<dyn Storage>,
    overrides: BTreeMap<(String, String), Arc<dyn Storage>>,
    media_type: MediaType,
    event_ttl: Duration,
    metrics: Option<Arc<Metrics>>,
}

/// Tells how each resource is stored: what a registry asks when it opens one.
pub trait RestOptionsGetter {
    /// How a resource is stored.
    fn rest_options(&self, group: &str, resource: &str) -> RestOptions;
}

/// How the objects of one resource are stored.
#[derive(Clone)]
#[non_exhaustive]
pub struct RestOptions {
    /// Where.
    pub storage: Arc<dyn Storage>,
    /// In what form.
    pub media_type: MediaType,
    /// How long events are kept.
    pub event_ttl: Duration,
}

impl StorageFactory {
    /// All resources in one store, as protobuf, and events for an hour.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            overrides: BTreeMap::new(),
            media_type: MediaType::Protobuf,
            event_ttl: Duration::from_secs(3600),
            metrics: None,
        }
    }

    /// Keeps one resource in another store.
    #[must_use]
    pub fn with_override(mut self, group: &str, resource: &str, storage: Arc<dyn Storage>) -> Self {
        self.overrides.insert((group.to_owned(), resource.to_owned()), storage);
        self
    }

    /// Stores in another form, where the resource has no form of its own.
    #[must_use]
    pub fn with_media_type(mut self, media_type: MediaType) -> Self {
        self.media_type = media_type;
        self
    }

    /// Counts what is asked of storage, by resource.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Keeps events as long as this.
    #[must_use]
    pub fn with_event_ttl(mut self, ttl: Duration) -> Self {
        self.event_ttl = ttl;
        self
    }

    /// The store of what has no override.
    pub fn default_storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// All stores, the default one first.
    pub fn backends(&self) -> impl Iterator<Item = &Arc<dyn Storage>> {
        std::iter::once(&self.storage).chain(self.overrides.values())
    }
}

impl RestOptionsGetter for StorageFactory {
    fn rest_options(&self, group: &str, resource: &str) -> RestOptions {
        let key = (group.to_owned(), resource.to_owned());
        let storage = self.overrides.get(&key).unwrap_or(&self.storage).clone();
        let storage = match &self.metrics {
            Some(metrics) => Arc::new(Measured {
                inner: storage,
                series: metrics.storage(group, resource),
            }),
            None => storage,
        };
        let media_type = match group {
            // These kinds have been JSON from the beginning.
            "apiextensions.k8s.io" | "apiregistration.k8s.io" => MediaType::Json,
            _ => self.media_type,
        };
        RestOptions {
            storage,
            media_type,
            event_ttl: self.event_ttl,
        }
    }
}

impl From<&Arc<dyn Storage>> for StorageFactory {
    fn from(storage: &Arc<dyn Storage>) -> Self {
        Self::new(storage.clone())
    }
}

impl fmt::Debug for StorageFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let overrides: Vec<_> = self.overrides.keys().collect();
        f.debug_struct("StorageFactory")
            .field("overrides", &overrides)
            .field("media_type", &self.media_type)
            .finish_non_exhaustive()
    }
}
