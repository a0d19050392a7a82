//! Several versions of one kind over one stored form.
//!
//! Objects are stored in one version, their storage version at the time. A [`ConvertingStorage`] lies between storage and
//! the store of one served version, for which everything is in that version.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;

use super::{ConversionWebhook, CustomKind};
use crate::status::ApiError;
use crate::storage::{
    Change, Expected, Get, KeyValue, Range, RangeRequest, Storage, StorageError, StorageEvent, StorageWatch, Swap,
    WatchBatch,
};

/// How an object of one version becomes one of another.
pub(crate) enum Conversion {
    /// All versions have the same fields.
    None,
    /// Another server knows.
    Webhook(Box<ConversionWebhook>),
}

/// The versions of a kind.
pub(crate) struct Versions {
    pub(crate) conversion: Conversion,
    /// The version in which objects are stored.
    pub(crate) storage: String,
    pub(crate) kinds: BTreeMap<String, Arc<CustomKind>>,
}

impl Versions {
    /// An object in one of the versions.
    ///
    /// # Errors
    /// The webhook that converts cannot.
    pub(crate) async fn convert(self: &Arc<Self>, mut object: Value, version: &str) -> Result<Value, ApiError> {
        if let Some(kind) = self.kinds.get(version) {
            let converter = Converter {
                served: kind.clone(),
                versions: self.clone(),
            };
            let converted = converter.convert(std::slice::from_mut(&mut object), kind).await;
            converted.map_err(ApiError::internal)?;
        }
        Ok(object)
    }
}

/// The objects of a kind in one of its versions.
pub(crate) struct ConvertingStorage {
    inner: Arc<dyn Storage>,
    served: Arc<CustomKind>,
    versions: Arc<Versions>,
}

impl ConvertingStorage {
    pub(crate) fn new(inner: Arc<dyn Storage>, served: Arc<CustomKind>, versions: Arc<Versions>) -> Self {
        Self {
            inner,
            served,
            versions,
        }
    }

    fn shared(&self) -> Converter {
        Converter {
            served: self.served.clone(),
            versions: self.versions.clone(),
        }
    }
}

#[async_trait]
impl Storage for ConvertingStorage {
    async fn get(&self, key: &str, revision: Option<u64>) -> Result<Get, StorageError> {
        let mut found = self.inner.get(key, revision).await?;
        if let Some(kv) = &mut found.kv {
            self.shared().read(std::slice::from_mut(&mut kv.value)).await?;
        }
        Ok(found)
    }

    async fn range(&self, range: &RangeRequest<'_>) -> Result<Range, StorageError> {
        let mut found = self.inner.range(range).await?;
        let mut values: Vec<Bytes> = found.kvs.iter().map(|kv| kv.value.clone()).collect();
        self.shared().read(&mut values).await?;
        for (kv, value) in found.kvs.iter_mut().zip(values) {
            kv.value = value;
        }
        Ok(found)
    }

    async fn compare_and_swap(&self, key: &str, expected: Expected, change: Change) -> Result<Swap, StorageError> {
        let change = match change {
            Change::Put { value, ttl } => Change::Put {
                value: self.shared().write(value).await?,
                ttl,
            },
            Change::Delete => Change::Delete,
        };
        let mut swap = self.inner.compare_and_swap(key, expected, change).await?;
        if let Swap::Conflict {
            current: Some(KeyValue { value, .. }),
            ..
        } = &mut swap
        {
            self.shared().read(std::slice::from_mut(value)).await?;
        }
        Ok(swap)
    }

    async fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError> {
        let converter = Arc::new(self.shared());
        let watch = self.inner.watch(prefix, from_revision).await?;
        let converted = watch.then(move |batch| {
            let converter = converter.clone();
            async move { converter.batch(batch?).await }
        });
        Ok(converted.boxed())
    }

    async fn request_progress(&self, prefix: &str) -> Result<(), StorageError> {
        self.inner.request_progress(prefix).await
    }

    async fn compact(&self, revision: u64) -> Result<(), StorageError> {
        self.inner.compact(revision).await
    }

    async fn current_revision(&self) -> Result<u64, StorageError> {
        self.inner.current_revision().await
    }

    async fn oldest_revision(&self) -> Result<u64, StorageError> {
        self.inner.oldest_revision().await
    }
}

struct Converter {
    served: Arc<CustomKind>,
    versions: Arc<Versions>,
}

impl Converter {
    /// Brings stored values into the served version.
    async fn read(&self, values: &mut [Bytes]) -> Result<(), StorageError> {
        // The store reports what it cannot read.
        let parsed = values.iter_mut().filter_map(|value| {
            let stored: Value = serde_json::from_slice(value).ok()?;
            Some((value, stored))
        });
        let (mut places, mut stored) = (Vec::new(), Vec::new());
        for (place, object) in parsed {
            places.push(place);
            stored.push(object);
        }
        let mut objects = stored.clone();
        for object in &mut objects {
            if let Some(kind) = self.stored_kind(object).cloned() {
                kind.schema.prune(object);
                kind.schema.drop_nulls(object);
                kind.schema.apply_defaults(object);
            }
        }
        self.convert(&mut objects, &self.served).await?;
        for ((place, stored), object) in places.into_iter().zip(stored).zip(objects) {
            if object != stored {
                *place = encode(&object)?;
            }
        }
        Ok(())
    }

    /// Brings a value into the version in which it is stored.
    async fn write(&self, value: Bytes) -> Result<Bytes, StorageError> {
        let Some(storage) = self.versions.kinds.get(&self.versions.storage) else {
            return Ok(value);
        };
        if storage.version == self.served.version {
            return Ok(value);
        }
        let mut object: Value = serde_json::from_slice(&value).map_err(|error| failed("read", &error))?;
        self.convert(std::slice::from_mut(&mut object), storage).await?;
        encode(&object)
    }

    /// The state before a change is not looked at, and stays as it was stored.
    async fn batch(&self, batch: WatchBatch) -> Result<WatchBatch, StorageError> {
        let mut events = Vec::with_capacity(batch.events.len());
        for event in batch.events {
            let mut event = StorageEvent::clone(&event);
            if let Some(value) = &mut event.value {
                self.read(std::slice::from_mut(value)).await?;
            }
            events.push(Arc::new(event));
        }
        Ok(WatchBatch {
            events,
            revision: batch.revision,
        })
    }

    fn stored_kind(&self, object: &Value) -> Option<&Arc<CustomKind>> {
        let (_, version) = object["apiVersion"].as_str()?.rsplit_once('/')?;
        self.versions.kinds.get(version)
    }

    /// Brings objects into a version; those that are in it stay as they are.
    async fn convert(&self, objects: &mut [Value], to: &CustomKind) -> Result<(), StorageError> {
        let wanted = to.api_version();
        let others = objects.iter_mut().filter(|object| object["apiVersion"] != *wanted);
        let mut others: Vec<&mut Value> = others.collect();
        match &self.versions.conversion {
            Conversion::None => others
                .iter_mut()
                .for_each(|object| object["apiVersion"] = wanted.as_str().into()),
            Conversion::Webhook(webhook) => {
                let originals: Vec<Value> = others.iter().map(|object| Value::clone(object)).collect();
                let converted = webhook
                    .convert(&originals, &wanted)
                    .await
                    .map_err(StorageError::Conversion)?;
                for (object, converted) in others.iter_mut().zip(converted) {
                    **object = converted;
                }
            }
        }
        for object in others {
            to.schema.prune(object);
            to.schema.drop_nulls(object);
        }
        Ok(())
    }
}

fn encode(object: &Value) -> Result<Bytes, StorageError> {
    let mut text = serde_json::to_vec(object).map_err(|error| failed("write", &error))?;
    text.push(b'\n');
    Ok(text.into())
}

fn failed(doing: &str, error: &serde_json::Error) -> StorageError {
    StorageError::Backend {
        doing: format!("{doing} a custom resource"),
        reason: error.to_string(),
    }
}
