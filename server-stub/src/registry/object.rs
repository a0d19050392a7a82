//! One version of one object, encoded at most once for each content type.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use kubewire_client::wire::{ObjectHeader, WireError};
use serde_json::{Value, json};

use super::codec::ObjectCodec;

/// An object as it was at one resource version. It never changes and is shared by the watch cache and all answers.
pub struct StoredObject {
    key: Arc<str>,
    resource_version: u64,
    stored: Bytes,
    header: ObjectHeader,
    codec: Arc<dyn ObjectCodec>,
    document: OnceLock<Arc<Value>>,
    protobuf: OnceLock<Option<Bytes>>,
    json: OnceLock<Bytes>,
}

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
        let mut header = codec.header(&stored)?;
        header.resource_version = version_text(resource_version).into();
        Ok(Self {
            key,
            resource_version,
            stored,
            header,
            codec,
            document: OnceLock::new(),
            protobuf: OnceLock::new(),
            json: OnceLock::new(),
        })
    }

    /// The key in storage.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The version; 0 for the result of a dry run of a creation.
    pub fn resource_version(&self) -> u64 {
        self.resource_version
    }

    /// Name, namespace, labels and the like.
    pub fn header(&self) -> &ObjectHeader {
        &self.header
    }

    /// The object in storage's form, without a version.
    pub fn stored(&self) -> &Bytes {
        &self.stored
    }

    /// The object as a document, `metadata.resourceVersion` included. Decoded on first use.
    pub fn document(&self) -> Arc<Value> {
        let decode = || {
            let document = self.codec.decode(&self.stored);
            let mut document = document.unwrap_or_else(|error| self.unreadable(&error));
            set_resource_version(&mut document, self.resource_version);
            Arc::new(document)
        };
        self.document.get_or_init(decode).clone()
    }

    /// The protobuf message with the version, without envelope; `None` for kinds that are JSON only.
    pub fn protobuf(&self) -> Option<Bytes> {
        let encode = || {
            let version = version_text(self.resource_version);
            let message = self.codec.protobuf(&self.stored, &version);
            message.inspect_err(|error| self.log(error)).unwrap_or_default()
        };
        self.protobuf.get_or_init(encode).clone()
    }

    /// The whole object as JSON, with kind, apiVersion and version.
    pub fn json(&self) -> Bytes {
        let encode = || {
            let text = self.codec.json(&self.document());
            text.inspect_err(|error| self.log(error)).unwrap_or_default()
        };
        self.json.get_or_init(encode).clone()
    }

    /// The same object with another version: how a deletion shows the last state.
    #[must_use]
    pub fn at_version(&self, resource_version: u64) -> Self {
        let mut header = self.header.clone();
        header.resource_version = version_text(resource_version).into();
        Self {
            key: self.key.clone(),
            resource_version,
            stored: self.stored.clone(),
            header,
            codec: self.codec.clone(),
            document: OnceLock::new(),
            protobuf: OnceLock::new(),
            json: OnceLock::new(),
        }
    }

    /// What stands for a document that cannot be read: its metadata, as far as known.
    fn unreadable(&self, error: &WireError) -> Value {
        self.log(error);
        json!({ "metadata": { "name": self.header.name, "namespace": self.header.namespace, "uid": self.header.uid } })
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
