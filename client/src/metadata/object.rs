//! An object cut down to its metadata.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use crate::types::meta::v1::PartialObjectMetadata;
use crate::wire::{EncodedObject, Encoding, Message, WireError};

impl PartialObjectMetadata {
    /// Reads the metadata of any object, a whole one too.
    pub fn decode(object: &EncodedObject) -> Result<Self, WireError> {
        if object.encoding == Encoding::Protobuf {
            // Every kind of object keeps its metadata where this one does.
            return Self::from_protobuf(&object.bytes);
        }
        #[derive(Deserialize)]
        struct OfAnyKind {
            #[serde(default)]
            metadata: ObjectMeta,
        }
        let OfAnyKind { metadata } = serde_json::from_slice(&object.bytes)?;
        Ok(Self { metadata })
    }
}
