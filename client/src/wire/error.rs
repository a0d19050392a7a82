//! What can be wrong with bytes.

/// Bytes that cannot be read as what they should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The input ends inside a value.
    #[error("truncated protobuf at byte {offset}")]
    Truncated {
        /// Where the value that is cut off begins.
        offset: usize,
    },
    /// The input breaks the rules of the protobuf wire format or of its message.
    #[error("invalid protobuf at byte {offset}: {reason}")]
    Invalid {
        /// Where the offending value begins.
        offset: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The input is not valid JSON, or does not fit the type.
    #[error("invalid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A value that cannot be expressed on the wire or read from it.
    #[error("{path}: {reason}")]
    Value {
        /// Where in the object, as `spec.containers[0].image`; empty for the whole object.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The kind has no protobuf form.
    #[error("kind {kind} has no protobuf form")]
    NoProtobuf {
        /// The kind.
        kind: String,
    },
    /// The kind is not part of the built-in schema.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    UnknownKind {
        /// The object's `apiVersion`.
        api_version: String,
        /// The object's `kind`.
        kind: String,
    },
}

impl WireError {
    /// The error for a kind that only JSON can carry.
    pub fn no_protobuf(kind: &str) -> Self {
        Self::NoProtobuf { kind: kind.to_owned() }
    }
}
