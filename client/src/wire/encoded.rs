//! One object as bytes.

use bytes::Bytes;

/// How an object's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The object's protobuf message, without the `k8s\0` envelope.
    Protobuf,
    /// JSON text.
    Json,
}

/// One object as it came from, or goes onto, the wire. Cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedObject {
    /// How to read the bytes.
    pub encoding: Encoding,
    /// The protobuf message or the JSON text.
    pub bytes: Bytes,
}
