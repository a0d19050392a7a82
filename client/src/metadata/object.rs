//! An object cut down to its metadata.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::wire::{Depth, EncodedObject, Encoding, Message, Reader, Value, WireError};

/// The metadata of an object of any kind (`meta.k8s.io/v1`, `PartialObjectMetadata`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartialObjectMetadata {
    /// The metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
}

impl PartialObjectMetadata {
    /// Reads the metadata of any object, a whole one too.
    pub fn decode(object: &EncodedObject) -> Result<Self, WireError> {
        if object.encoding == Encoding::Json {
            return Ok(serde_json::from_slice(&object.bytes)?);
        }
        let mut read = Self::default();
        let mut reader = Reader::new(&object.bytes);
        while let Some(field) = reader.next_field()? {
            // Every kind of object keeps its metadata there.
            if let (1, Value::Bytes(metadata)) = (field.number, field.value) {
                let merged = read.metadata.merge(metadata, Depth::outermost());
                merged.map_err(|error| error.of(&object.bytes))?;
            }
        }
        Ok(read)
    }
}
