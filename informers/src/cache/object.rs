//! One entry of the cache.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use kubewire_client::selector::LabelSelector;
use kubewire_client::wire::{EncodedObject, Encoding, ObjectHeader, WireError};
use kubewire_client::{Decode, ObjectKey};
use parking_lot::Mutex;

use super::CacheFormat;
use super::body::Body;
use super::by_key::hash_of;
use super::head::{Head, Parts, join_protobuf};

/// An object as it was in the cluster at one version. Cloning shares it; nobody can change it.
///
/// Its metadata is read without decoding the rest, and [`decode`](CachedObject::decode) gives the whole.
pub struct CachedObject<K: Decode>(Arc<Entry<K>>);

struct Entry<K: Decode> {
    head: Head,
    key_hash: u64,
    body: Mutex<Body<K>>,
    /// What decoding needs beside the bytes.
    context: K::Context,
    encoding: Encoding,
    /// How much of the body is managed fields, where it is protobuf.
    managed: u32,
    /// How many bytes arrived and were kept.
    size: u32,
}

/// How an entry is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryOptions {
    /// What is kept of the object, and when it is decoded. Default [`CacheFormat::Lazy`].
    pub format: CacheFormat,
    /// Keeps managed fields, which are often a third of an object. Default off.
    pub managed_fields: bool,
}

/// An object that its type cannot hold.
#[derive(Clone, Debug, thiserror::Error)]
#[error("decode {kind} {key}: {source}")]
pub struct DecodeError {
    kind: Cow<'static, str>,
    key: Box<ObjectKey>,
    source: Arc<WireError>,
}

impl DecodeError {
    /// Which object.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }
}

impl<K: Decode> CachedObject<K> {
    /// Name.
    pub fn name(&self) -> &str {
        self.0.head.name()
    }

    /// Namespace; empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        self.0.head.namespace()
    }

    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.namespace(), self.name())
    }

    /// The server's identity of this object; two objects of one name have different ones.
    pub fn uid(&self) -> &str {
        self.0.head.uid()
    }

    /// The version of the object.
    pub fn resource_version(&self) -> &str {
        self.0.head.resource_version()
    }

    /// How often the wished-for state changed.
    pub fn generation(&self) -> i64 {
        self.0.head.generation()
    }

    /// True from the moment when the object's deletion was asked for.
    pub fn is_deleting(&self) -> bool {
        self.0.head.is_deleting()
    }

    /// Labels, in the order in which the server sent them.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.head.labels()
    }

    /// The value of one label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// Annotations, in the order in which the server sent them.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.head.annotations()
    }

    /// The value of one annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// True where the labels fulfil the selector.
    pub fn is_selected_by(&self, selector: &LabelSelector) -> bool {
        selector.matches(|key| self.label(key))
    }

    /// How many bytes of it arrived and were kept. What it takes once it was decoded is another matter.
    pub fn size(&self) -> usize {
        self.0.size as usize
    }

    /// True for two states of one object; false where an object was deleted and another one took its name.
    pub(crate) fn is_same_object(&self, other: &Self) -> bool {
        self.uid() == other.uid()
    }

    /// True where both are the same state of the same object.
    pub(crate) fn is_same_state(&self, other: &Self) -> bool {
        let version = self.resource_version();
        self.is_same_object(other) && version == other.resource_version() && !version.is_empty()
    }

    /// Of namespace and name.
    pub(super) fn key_hash(&self) -> u64 {
        self.0.key_hash
    }

    /// True where this is the very entry, not only the same state.
    pub(crate) fn is_entry(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<K: Decode> CachedObject<K> {
    /// Makes an entry of an encoded object: copies the bytes, so that the response they lie in can go, and reads where
    /// its names are. In format [`CacheFormat::Decoded`] an object that its type cannot hold stays encoded.
    ///
    /// # Errors
    /// The bytes are no object, or one without a name.
    pub fn new(encoded: &EncodedObject, context: &K::Context, options: EntryOptions) -> Result<Self, WireError> {
        let EntryOptions { format, managed_fields } = options;
        let parts = Parts::cut(encoded, managed_fields)?;
        let size = u32::try_from(parts.head.len() + parts.body.len()).unwrap_or(u32::MAX);
        let body = match format {
            CacheFormat::Lazy | CacheFormat::Decoded => Body::Encoded(parts.body),
            CacheFormat::Compact => Body::Shared(parts.body, Weak::new()),
            #[cfg(feature = "zstd")]
            CacheFormat::Compressed => Body::Shared(parts.body, Weak::new()),
        };
        let object = Self(Arc::new(Entry {
            key_hash: hash_of(parts.head.namespace(), parts.head.name()),
            head: parts.head,
            body: Mutex::new(body),
            context: context.clone(),
            encoding: encoded.encoding,
            managed: parts.managed,
            size,
        }));
        if format == CacheFormat::Decoded {
            let _ = object.decode();
        }
        Ok(object)
    }

    /// Compresses what is not needed to read the metadata.
    #[cfg(feature = "zstd")]
    pub(crate) fn pack(&self, packer: &super::Packer) {
        let mut body = self.0.body.lock();
        if let Body::Shared(bytes, decoded) = &*body
            && let Some(packed) = packer.pack(bytes)
        {
            *body = Body::Packed(packed, decoded.clone());
        }
    }

    #[cfg(test)]
    pub(crate) fn is_decoded(&self) -> bool {
        matches!(*self.0.body.lock(), Body::Decoded(_))
    }

    #[cfg(all(test, feature = "zstd"))]
    pub(crate) fn packed_size(&self) -> Option<usize> {
        match &*self.0.body.lock() {
            Body::Packed(packed, _) => Some(packed.len()),
            _ => None,
        }
    }

    /// The object as its type, decoded now unless it is already.
    ///
    /// # Errors
    /// The type cannot hold the object; the error names it. Its metadata and bytes are there all the same.
    pub fn decode(&self) -> Result<Arc<K>, DecodeError> {
        let mut body = self.0.body.lock();
        if let Some(object) = body.decoded() {
            return Ok(object);
        }
        let encoded = self.0.encoded(&body).map_err(|error| self.undecodable(error))?;
        let object = K::decode_in(&encoded, &self.0.context).map_err(|error| self.undecodable(error))?;
        let object = Arc::new(object);
        body.remember(&object);
        Ok(object)
    }

    /// The object as it came from the wire, or, where its bytes were let go, encoded anew.
    pub fn encoded(&self) -> Result<EncodedObject, DecodeError> {
        let body = self.0.body.lock();
        self.0.encoded(&body).map_err(|error| self.undecodable(error))
    }

    /// The metadata that is known without decoding, in one piece.
    pub fn header(&self) -> ObjectHeader {
        let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let mut header = ObjectHeader::default();
        header.name = self.name().to_owned();
        header.namespace = self.namespace().to_owned();
        header.uid = self.uid().to_owned();
        header.resource_version = self.resource_version().into();
        header.generation = self.generation();
        header.deleting = self.is_deleting();
        header.labels = self.labels().map(own).collect();
        header.annotations = self.annotations().map(own).collect();
        header.labels.sort();
        header.annotations.sort();
        header
    }

    fn undecodable(&self, error: WireError) -> DecodeError {
        DecodeError {
            kind: K::kind(&self.0.context),
            key: Box::new(self.key()),
            source: Arc::new(error),
        }
    }
}

impl<K: Decode> Entry<K> {
    fn encoded(&self, body: &Body<K>) -> Result<EncodedObject, WireError> {
        let whole = |body: &[u8]| match self.encoding {
            Encoding::Protobuf => join_protobuf(&self.head, body, self.managed),
            Encoding::Json => Bytes::copy_from_slice(body),
        };
        let bytes = match body {
            Body::Decoded(object) => return object.encode_in(self.encoding, &self.context),
            Body::Encoded(body) | Body::Shared(body, _) => whole(body),
            #[cfg(feature = "zstd")]
            Body::Packed(packed, _) => whole(&packed.open()?),
        };
        Ok(EncodedObject {
            encoding: self.encoding,
            bytes,
        })
    }
}

impl<K: Decode> Clone for CachedObject<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Decode> fmt::Debug for CachedObject<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedObject")
            .field("key", &format_args!("{}", self.key()))
            .field("uid", &self.uid())
            .field("resource_version", &self.resource_version())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
