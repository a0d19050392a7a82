//! The wire codec: Kubernetes protobuf and JSON, with or without Rust types for the objects.
//!
//! The wire stays bytes as long as possible: a list response is cut into item slices without decoding
//! ([`EncodedList`]), a watch frame carries one object's bytes, and metadata is read without decoding the rest
//! ([`ObjectHeader`]). Reading never panics and never allocates more than the input allows.

#[macro_use]
pub(crate) mod shapes;

mod encoded;
pub mod envelope;
mod error;
mod frame;
mod generated;
mod header;
mod list;
mod list_stream;
mod managed_fields;
mod message;
mod pending;
mod quantity;
mod raw_json;
mod reader;
mod scan;
pub mod schema;
mod special;
pub mod transcode;
mod version;
mod writer;

pub use encoded::{EncodedObject, Encoding};
pub use envelope::Envelope;
pub use error::{DecodeError, WireError};
pub use frame::{EncodedEvent, WatchDecoder};
pub use header::ObjectHeader;
pub use list::EncodedList;
pub use list_stream::ListDecoder;
pub use managed_fields::drop_managed_fields;
pub use message::{Depth, Message};
pub use reader::{Field, Reader, Value};
pub use version::with_resource_version;
pub use writer::ReverseWriter;

/// Reads an object of a type that has both encodings.
pub(crate) fn decode<T: Message + serde::de::DeserializeOwned>(object: &EncodedObject) -> Result<T, WireError> {
    match object.encoding {
        Encoding::Protobuf => T::from_protobuf(&object.bytes),
        Encoding::Json => Ok(serde_json::from_slice(&object.bytes)?),
    }
}

/// Writes an object of a type that has both encodings.
pub(crate) fn encode<T: Message + serde::Serialize>(
    object: &T,
    encoding: Encoding,
) -> Result<EncodedObject, WireError> {
    let bytes = match encoding {
        Encoding::Protobuf => object.to_protobuf(),
        Encoding::Json => serde_json::to_vec(object)?.into(),
    };
    Ok(EncodedObject { encoding, bytes })
}
