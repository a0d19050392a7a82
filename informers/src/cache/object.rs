//! One entry of the cache.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use kubewire_client::selector::LabelSelector;
use kubewire_client::wire::{EncodedObject, ObjectHeader, WireError};
use kubewire_client::{Object, ObjectKey};

/// When an object of the cache is decoded. The wire bytes are kept in every mode; for a typical pod they take a ninth
/// of the decoded type's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheMode {
    /// When somebody looks inside, and then it is kept. The default.
    #[default]
    Lazy,
    /// Each time somebody looks inside; it is not kept. Least memory.
    Compact,
    /// When it arrives. Most memory, no delay later.
    Decoded,
}

/// An object as it was in the cluster at one version. Cloning shares it; nobody can change it.
pub struct CachedObject<K>(Arc<Entry<K>>);

struct Entry<K> {
    key: Arc<ObjectKey>,
    header: ObjectHeader,
    encoded: EncodedObject,
    mode: CacheMode,
    decoded: OnceLock<Result<Arc<K>, DecodeError>>,
}

/// An object that its type cannot hold.
#[derive(Clone, Debug, thiserror::Error)]
#[error("decode {kind} {key}: {source}")]
pub struct DecodeError {
    kind: &'static str,
    key: Arc<ObjectKey>,
    source: Arc<WireError>,
}

impl DecodeError {
    /// Which object.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }
}

impl<K> CachedObject<K> {
    /// Namespace and name.
    pub fn key(&self) -> &ObjectKey {
        &self.0.key
    }

    /// The metadata that is known without decoding.
    pub fn header(&self) -> &ObjectHeader {
        &self.0.header
    }

    /// The object as it came from the wire.
    pub fn encoded(&self) -> &EncodedObject {
        &self.0.encoded
    }

    /// True where the labels fulfil the selector.
    pub fn is_selected_by(&self, selector: &LabelSelector) -> bool {
        selector.matches(|key| self.header().label(key))
    }

    pub(crate) fn shared_key(&self) -> &Arc<ObjectKey> {
        &self.0.key
    }

    /// True for two states of one object; false where an object was deleted and another one took its name.
    pub(crate) fn is_same_object(&self, other: &Self) -> bool {
        self.header().uid == other.header().uid
    }

    /// True where both are the same state of the same object.
    pub(crate) fn is_same_state(&self, other: &Self) -> bool {
        let version = &self.header().resource_version;
        self.is_same_object(other) && *version == other.header().resource_version && !version.is_unset()
    }
}

impl<K: Object> CachedObject<K> {
    /// Makes an entry of an encoded object: copies the bytes, so that the response they lie in can go, and reads the
    /// header. In mode [`CacheMode::Decoded`] a failure to decode is kept for [`decode`](CachedObject::decode).
    ///
    /// # Errors
    /// The bytes are no object, or one without a name.
    pub fn new(encoded: &EncodedObject, mode: CacheMode) -> Result<Self, WireError> {
        let header = ObjectHeader::parse(encoded)?;
        if header.name.is_empty() {
            return Err(WireError::Value {
                path: "metadata.name".to_owned(),
                reason: "an object of a collection must have a name".to_owned(),
            });
        }
        let object = Self(Arc::new(Entry {
            key: Arc::new(header.key()),
            header,
            encoded: EncodedObject {
                encoding: encoded.encoding,
                bytes: Bytes::copy_from_slice(&encoded.bytes),
            },
            mode,
            decoded: OnceLock::new(),
        }));
        if mode == CacheMode::Decoded {
            let _ = object.decode();
        }
        Ok(object)
    }

    /// The object as its type, decoded now unless it is already.
    ///
    /// # Errors
    /// The type cannot hold the object; the error names it. Its header and bytes are there all the same.
    pub fn decode(&self) -> Result<Arc<K>, DecodeError> {
        let entry = &*self.0;
        match entry.mode {
            CacheMode::Compact => entry.decode(),
            CacheMode::Lazy | CacheMode::Decoded => entry.decoded.get_or_init(|| entry.decode()).clone(),
        }
    }
}

impl<K: Object> Entry<K> {
    fn decode(&self) -> Result<Arc<K>, DecodeError> {
        K::decode(&self.encoded).map(Arc::new).map_err(|source| DecodeError {
            kind: K::KIND,
            key: self.key.clone(),
            source: Arc::new(source),
        })
    }
}

impl<K> Clone for CachedObject<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> fmt::Debug for CachedObject<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = self.header();
        f.debug_struct("CachedObject")
            .field("key", &format_args!("{}", self.key()))
            .field("uid", &header.uid)
            .field("resource_version", &header.resource_version.as_str())
            .field("bytes", &self.encoded().bytes.len())
            .finish_non_exhaustive()
    }
}
