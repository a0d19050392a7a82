//! The wire codec: Kubernetes protobuf and JSON, with or without Rust types for the objects.
//!
//! The wire stays bytes as long as possible: a list response is cut into item slices without decoding
//! ([`EncodedList`]), a watch frame carries one object's bytes, and metadata is read without decoding the rest
//! ([`ObjectHeader`]). Reading never panics and never allocates more than the input allows.

mod encoded;
pub mod envelope;
mod error;
mod frame;
mod header;
mod list;
mod reader;
mod writer;

pub use encoded::{EncodedObject, Encoding};
pub use envelope::Envelope;
pub use error::WireError;
pub use frame::{EncodedEvent, WatchDecoder};
pub use header::ObjectHeader;
pub use list::EncodedList;
pub use reader::{Field, Reader, Value};
pub use writer::ReverseWriter;
