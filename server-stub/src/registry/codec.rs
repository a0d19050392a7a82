//! How the objects of a resource are stored: the boundary between documents and bytes.

use bytes::Bytes;
use kubewire_client::wire::{EncodedObject, Encoding, ObjectHeader, WireError};
use serde_json::Value;

/// Turns documents into what storage holds and back. Neither form carries a `resourceVersion`.
pub trait ObjectCodec: Send + Sync + 'static {
    /// The document as storage holds it.
    fn encode(&self, document: &Value) -> Result<Bytes, WireError>;

    /// The document of a stored value.
    fn decode(&self, stored: &Bytes) -> Result<Value, WireError>;

    /// The metadata of a stored value, read without decoding the rest.
    fn header(&self, stored: &Bytes) -> Result<ObjectHeader, WireError>;

    /// Whether the stored value is the protobuf message that is served, in its envelope.
    fn is_as_served(&self, stored: &[u8]) -> bool {
        let _ = stored;
        false
    }

    /// The stored value as a protobuf message (without envelope) with its version; `None` for kinds that are JSON only.
    fn protobuf(&self, stored: &Bytes, resource_version: &str) -> Result<Option<Bytes>, WireError>;

    /// The document as JSON, its fields in the order in which kube-apiserver writes them.
    fn json(&self, document: &Value) -> Result<Bytes, WireError>;

    /// The same of a protobuf message (without envelope) that is served, without a document in between.
    fn message_to_json(&self, message: Bytes) -> Result<Bytes, WireError> {
        let _ = message;
        Err(WireError::no_protobuf("a custom resource"))
    }
}

/// Custom resources: JSON in storage and on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonCodec;

impl ObjectCodec for JsonCodec {
    fn encode(&self, document: &Value) -> Result<Bytes, WireError> {
        let mut text = serde_json::to_vec(document)?;
        text.push(b'\n');
        Ok(text.into())
    }

    fn decode(&self, stored: &Bytes) -> Result<Value, WireError> {
        Ok(serde_json::from_slice(stored)?)
    }

    fn header(&self, stored: &Bytes) -> Result<ObjectHeader, WireError> {
        ObjectHeader::parse(&EncodedObject {
            encoding: Encoding::Json,
            bytes: stored.clone(),
        })
    }

    fn protobuf(&self, _: &Bytes, _: &str) -> Result<Option<Bytes>, WireError> {
        Ok(None)
    }

    fn json(&self, document: &Value) -> Result<Bytes, WireError> {
        Ok(serde_json::to_vec(document)?.into())
    }
}
