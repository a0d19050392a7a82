//! One version of one object, encoded at most once for each content type.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use kubewire_client::wire::{ObjectHeader, WireError};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::codec::ObjectCodec;
use super::versioned::{VersionPlace, VersionedMessage};

/// An object as it was at one resource version. It never changes and is shared by the watch cache and all answers.
///
/// What it is made of is what storage holds; its parts are read when somebody asks.
pub struct StoredObject {
    key: Arc<str>,
    resource_version: u64,
    stored: Bytes,
    codec: Arc<dyn ObjectCodec>,
    /// `None` where the protobuf message has to be made anew.
    version_place: Option<VersionPlace>,
    /// As long as somebody has it.
    document: Mutex<Weak<Value>>,
    json: OnceLock<Bytes>,
    /// What field selectors asked for.
    fields: Mutex<KnownFields>,
}

/// Fields and their values; they are few, and there are many objects: no room to grow.
type KnownFields = Box<[(Box<str>, Arc<str>)]>;

impl StoredObject {
    /// An object out of storage.
    ///
    /// # Errors
    /// When the value is no object.
    pub fn decode(
        key: Arc<str>,
        stored: Bytes,
        resource_version: u64,
        codec: Arc<dyn ObjectCodec>,
    ) -> Result<Self, WireError> {
        codec.header(&stored)?;
        Ok(Self::new(key, stored, resource_version, codec))
    }

    /// An object that was just encoded.
    pub(super) fn new(key: Arc<str>, stored: Bytes, resource_version: u64, codec: Arc<dyn ObjectCodec>) -> Self {
        let is_as_served = codec.is_as_served(&stored);
        Self {
            key,
            resource_version,
            version_place: is_as_served.then(|| VersionPlace::find(&stored)).flatten(),
            stored,
            codec,
            document: Mutex::default(),
            json: OnceLock::new(),
            fields: Mutex::default(),
        }
    }

    /// The key in storage.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The version; 0 for the result of a dry run of a creation.
    pub fn resource_version(&self) -> u64 {
        self.resource_version
    }

    /// Name, namespace, labels and the like; read each time.
    pub fn header(&self) -> ObjectHeader {
        // It could be read when the object was made.
        let mut header = self.codec.header(&self.stored).unwrap_or_default();
        header.resource_version = version_text(self.resource_version).into();
        header
    }

    /// The object in storage's form, without a version.
    pub fn stored(&self) -> &Bytes {
        &self.stored
    }

    /// The object as a document, `metadata.resourceVersion` included. Decoded unless somebody has it already.
    pub fn document(&self) -> Arc<Value> {
        let mut known = self.document.lock();
        if let Some(document) = known.upgrade() {
            return document;
        }
        let document = self.codec.decode(&self.stored);
        let mut document = document.unwrap_or_else(|error| self.unreadable(&error));
        set_resource_version(&mut document, self.resource_version);
        let document = Arc::new(document);
        *known = Arc::downgrade(&document);
        document
    }

    /// The protobuf message with the version, without envelope and without a copy; `None` where that cannot be: see
    /// [`protobuf`](Self::protobuf).
    pub fn message(&self) -> Option<VersionedMessage<'_>> {
        VersionedMessage::new(&self.stored, self.version_place?, self.resource_version)
    }

    /// The protobuf message with the version, without envelope; `None` for kinds that are JSON only.
    pub fn protobuf(&self) -> Option<Bytes> {
        if let Some(message) = self.message() {
            return Some(message.to_bytes());
        }
        let version = version_text(self.resource_version);
        let message = self.codec.protobuf(&self.stored, &version);
        message.inspect_err(|error| self.log(error)).unwrap_or_default()
    }

    /// The whole object as JSON, with kind, apiVersion and version.
    pub fn json(&self) -> Bytes {
        let encode = || {
            let text = match self.message().map(|message| message.to_bytes()) {
                Some(message) => self.codec.message_to_json(message),
                None => self.codec.json(&self.document()),
            };
            let text = text.inspect_err(|error| self.log(error)).unwrap_or_default();
            // It is kept for long: without room to grow.
            Bytes::copy_from_slice(&text)
        };
        self.json.get_or_init(encode).clone()
    }

    /// The value of a field for field selectors and the like, read out of the document once.
    pub(crate) fn field(&self, field: &str, read: impl FnOnce(&Value) -> String) -> Arc<str> {
        let mut fields = self.fields.lock();
        if let Some((_, value)) = fields.iter().find(|(known, _)| **known == *field) {
            return value.clone();
        }
        let value: Arc<str> = read(&self.document()).into();
        let known = std::mem::take(&mut *fields).into_iter();
        *fields = known.chain([(field.into(), value.clone())]).collect();
        value
    }

    /// The same object with another version: how a deletion shows the last state.
    #[must_use]
    pub fn at_version(&self, resource_version: u64) -> Self {
        Self::new(
            self.key.clone(),
            self.stored.clone(),
            resource_version,
            self.codec.clone(),
        )
    }

    /// What stands for a document that cannot be read: its metadata, as far as known.
    fn unreadable(&self, error: &WireError) -> Value {
        self.log(error);
        let header = self.header();
        json!({ "metadata": { "name": header.name, "namespace": header.namespace, "uid": header.uid } })
    }

    fn log(&self, error: &WireError) {
        tracing::error!(key = %self.key, revision = self.resource_version, %error, "the object cannot be read");
    }
}

impl fmt::Debug for StoredObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredObject({} at {})", self.key, self.resource_version)
    }
}

fn version_text(version: u64) -> String {
    match version {
        0 => String::new(),
        version => version.to_string(),
    }
}

/// Sets or, for 0, removes `metadata.resourceVersion`.
pub(super) fn set_resource_version(document: &mut Value, version: u64) {
    let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    match version {
        0 => metadata.remove("resourceVersion"),
        version => metadata.insert("resourceVersion".to_owned(), version.to_string().into()),
    };
}
