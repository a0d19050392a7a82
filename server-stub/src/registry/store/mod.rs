//! The generic registry store: every resource's reads and writes, with what differs left to its [`Strategy`].
//!
//! Reads follow the `resourceVersion` rules of kube-apiserver, writes are compare-and-swaps on storage.

mod create;
mod delete;
mod fields;
mod list;
mod page;
#[cfg(test)]
mod tests;
mod update;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use kubewire_client::selector::{FieldRequirement, FieldSelector};
use serde_json::Value;

pub(crate) use self::fields::seconds;
use super::cacher::{CacheStats, Cacher, Selection, WatchStart, watch};
use super::codec::ObjectCodec;
use super::object::StoredObject;
use super::query::{ListQuery, WatchEvent, WatchStream};
use super::resource_info::ResourceInfo;
use super::strategy::Strategy;
use crate::status::{ApiError, GroupResource};
use crate::storage::{Change, Expected, KeyValue, Storage, StorageError, Swap};

/// How many changes of a resource can be watched from the past.
const HISTORY: usize = 10_000;

/// The objects of one resource.
pub struct Store {
    info: ResourceInfo,
    strategy: Arc<dyn Strategy>,
    codec: Arc<dyn ObjectCodec>,
    storage: Arc<dyn Storage>,
    cacher: Cacher,
    /// The version of the last write by this server.
    written: AtomicU64,
}

impl Store {
    /// Opens the store of a resource and starts its watch cache; must be called inside of a Tokio runtime.
    ///
    /// Dropping the store ends its watches.
    pub fn new(
        info: ResourceInfo,
        strategy: Arc<dyn Strategy>,
        codec: Arc<dyn ObjectCodec>,
        storage: Arc<dyn Storage>,
    ) -> Self {
        let cacher = Cacher::start(storage.clone(), codec.clone(), info.keys_in(""), HISTORY);
        Self {
            info,
            strategy,
            codec,
            storage,
            cacher,
            written: AtomicU64::new(0),
        }
    }

    /// The resource.
    pub fn info(&self) -> &ResourceInfo {
        &self.info
    }

    /// The resource's behaviour.
    pub fn strategy(&self) -> &dyn Strategy {
        &*self.strategy
    }

    /// One object: the most recent state, or with a version what the cache has at that version or later.
    ///
    /// # Errors
    /// 404, or 504 when the version does not come within a few seconds.
    pub async fn get(&self, namespace: &str, name: &str, version: Option<u64>) -> Result<Arc<StoredObject>, ApiError> {
        let key = self.info.key(namespace, name);
        let object = match version {
            None => self.read(&key).await?,
            Some(version) => {
                self.wait_until(version).await?;
                self.cacher.get(&key).0
            }
        };
        object.ok_or_else(|| self.not_found(name))
    }

    /// One object as of all that this server has written; one that is not there may have been made by another server.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) async fn get_written(&self, namespace: &str, name: &str) -> Result<Arc<StoredObject>, ApiError> {
        match self.get(namespace, name, Some(self.written_version())).await {
            Err(error) if error.code() == 404 => self.get(namespace, name, None).await,
            found => found,
        }
    }

    /// How the watch cache stands.
    pub(crate) fn cache_stats(&self) -> CacheStats {
        self.cacher.stats()
    }

    /// Waits until the watch cache has what is there.
    pub(crate) async fn wait_until_ready(&self) {
        self.cacher.wait_until_ready().await;
    }

    /// A version with all that this server has written: who reads as far gets it out of the cache. kube-apiserver's own
    /// decisions, such as those of admission, are based on no newer state either.
    pub fn written_version(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Changes from a version on, or the present state and then changes.
    ///
    /// # Errors
    /// 400 for a field selector that the resource does not have, 504 when the version does not come in time. A
    /// version that is too old ends the stream with a 410.
    pub async fn watch(&self, namespace: &str, query: &ListQuery) -> Result<WatchStream, ApiError> {
        let selection = self.selection(query)?;
        let version = query.resource_version.unwrap_or_default();
        let after = match query.send_initial_events {
            None | Some(false) if version > 0 => Some(version),
            Some(false) => {
                self.cacher.wait_most_recent().await?;
                Some(self.cacher.get("").1)
            }
            _ => None,
        };
        let begins = match (after, query.resource_version) {
            (Some(version), _) => self.check_watchable(version).await,
            (None, None) => self.cacher.wait_most_recent().await,
            (None, Some(version)) => self.cacher.wait_until(version).await,
        };
        let asks_for_state = query.send_initial_events == Some(true);
        match begins {
            // Who asked for the present state is told within the stream why there is none.
            Err(error) if error.reason() == "Expired" || (asks_for_state && error.reason() == "Timeout") => {
                let only = VecDeque::from([WatchEvent::Error(error)]);
                return Ok(WatchStream::new(only, futures::stream::empty().boxed()));
            }
            outcome => outcome?,
        }
        let prefix = self.prefix(namespace, &query.field_selector);
        let start = WatchStart {
            prefix,
            selection,
            after,
            bookmarks: query.allow_watch_bookmarks,
            mark_initial_end: query.allow_watch_bookmarks && query.send_initial_events == Some(true),
            timeout: query.timeout,
        };
        Ok(watch(&self.cacher, start))
    }

    /// Waits until the cache has everything up to a version.
    async fn wait_until(&self, version: u64) -> Result<(), ApiError> {
        let waited = self.cacher.wait_until(version).await;
        // Without a cache nobody waits, nor says that it is worth trying again.
        waited.map_err(|error| match self.info.is_event() && error.reason() == "Timeout" {
            true => error.without_retry(),
            false => error,
        })
    }

    /// Fails where storage does not know all changes since a version that no cache knows either.
    async fn check_watchable(&self, version: u64) -> Result<(), ApiError> {
        self.cacher.wait_until(0).await?;
        if !self.info.is_event() {
            return Ok(());
        }
        let oldest = self.storage.oldest_revision().await.map_err(storage_error)?;
        match version < oldest {
            true => Err(ApiError::resource_expired(
                "The resourceVersion for the provided watch is too old.",
            )),
            false => Ok(()),
        }
    }

    /// The newest state of an object, out of storage. The cache's copy is taken if it is the same version.
    ///
    /// Writes read first, so nothing is written that the cache does not see as a change.
    async fn read(&self, key: &str) -> Result<Option<Arc<StoredObject>>, ApiError> {
        self.cacher.wait_until(0).await?;
        let kv = self.storage.get(key, None).await.map_err(storage_error)?.kv;
        kv.map(|kv| self.object(kv)).transpose()
    }

    async fn swap(&self, key: &str, expected: Expected, change: Change) -> Result<Swap, ApiError> {
        let swap = self.storage.compare_and_swap(key, expected, change).await;
        let swap = swap.map_err(storage_error)?;
        if let Swap::Done { revision } = swap {
            self.written.fetch_max(revision, Ordering::AcqRel);
        }
        Ok(swap)
    }

    fn object(&self, kv: KeyValue) -> Result<Arc<StoredObject>, ApiError> {
        match self.cacher.get(&kv.key).0 {
            Some(cached) if cached.resource_version() == kv.mod_revision => Ok(cached),
            _ => self.decode(&kv.key, kv.value, kv.mod_revision),
        }
    }

    fn decode(&self, key: &Arc<str>, stored: bytes::Bytes, version: u64) -> Result<Arc<StoredObject>, ApiError> {
        let object = StoredObject::decode(key.clone(), stored, version, self.codec.clone());
        let object = object.map_err(|error| ApiError::internal(format!("reading {key}: {error}")))?;
        Ok(Arc::new(object))
    }

    /// What was just encoded needs no check.
    fn written(&self, key: &Arc<str>, stored: bytes::Bytes, version: u64) -> Arc<StoredObject> {
        let object = StoredObject::new(key.clone(), stored, version, self.codec.clone());
        Arc::new(object)
    }

    fn encode(&self, document: &Value) -> Result<bytes::Bytes, ApiError> {
        let encoded = self.codec.encode(document);
        let encoded = encoded.map_err(|error| ApiError::internal(format!("encoding {}: {error}", self.info.kind)))?;
        // It is kept for long: without room to grow.
        Ok(bytes::Bytes::copy_from_slice(&encoded))
    }

    /// Where the keys lie that a request can be about.
    fn prefix(&self, namespace: &str, fields: &FieldSelector) -> String {
        let namespace = match namespace {
            "" => fields.required("metadata.namespace").unwrap_or_default(),
            namespace => namespace,
        };
        self.info.keys_in(namespace)
    }

    /// Which objects the selectors mean.
    fn selection(&self, query: &ListQuery) -> Result<Selection, ApiError> {
        for requirement in query.field_selector.requirements() {
            self.check_field(requirement)?;
        }
        let labels = query.label_selector.clone();
        let fields = query.field_selector.clone();
        let strategy = self.strategy.clone();
        Ok(Box::new(move |object| {
            let header = (!labels.is_empty()).then(|| object.header());
            labels.matches(|key| header.as_ref().and_then(|header| header.label(key)))
                && fields.matches(|field| object.field(field, |document| field_value(&*strategy, document, field)))
        }))
    }

    fn check_field(&self, requirement: &FieldRequirement) -> Result<(), ApiError> {
        let field = &*requirement.field;
        let known = &self.info.field_labels;
        if known.contains(&field) || self.strategy.has_field(field) {
            return Ok(());
        }
        Err(ApiError::bad_request(self.strategy.unknown_field(field, known)))
    }

    fn resource(&self) -> GroupResource {
        self.info.group_resource()
    }

    fn not_found(&self, name: &str) -> ApiError {
        ApiError::not_found(&self.resource(), name)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.info.group_resource())
    }
}

/// A field for a field selector: the strategy's value, else what stands at the path.
fn field_value(strategy: &dyn Strategy, document: &Value, field: &str) -> String {
    if let Some(value) = strategy.field(document, field) {
        return value.into_owned();
    }
    let value = field.split('.').try_fold(document, |value, name| value.get(name));
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// How failures of storage look to clients.
fn storage_error(error: StorageError) -> ApiError {
    match error {
        StorageError::Compacted { .. } => {
            ApiError::resource_expired("The resourceVersion for the provided list is too old.")
        }
        StorageError::Future { wanted, current } => ApiError::too_large_resource_version(wanted, current),
        StorageError::Unavailable { reason } => ApiError::service_unavailable(reason),
        StorageError::Refused(reason) => ApiError::unclassified(reason),
        StorageError::Conversion(message) => ApiError::unclassified(message),
        other => ApiError::internal(other),
    }
}
