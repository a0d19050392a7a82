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
    /// The input breaks the grammar of JSON.
    #[error("{message}")]
    Syntax {
        /// Where the offending byte is.
        offset: usize,
        /// What is wrong, in the words of the API server.
        message: String,
    },
    /// JSON that does not fit the type it is read into.
    #[error("{message}")]
    Mismatch {
        /// Where, as `spec.containers[0].image`; empty for the whole document.
        path: String,
        /// What is wrong and where, in the words of the API server.
        message: String,
    },
    /// A field that cannot be read from protobuf.
    #[error("{path}: {reason} at byte {offset}")]
    Field {
        /// Where in the object, as `spec.containers[0].image`.
        path: String,
        /// Where in the input.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
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

/// Why a message cannot be read, small enough to be returned in a register.
#[derive(Debug)]
pub struct DecodeError(Box<Place>);

/// An error, and the address of the byte at which it happened.
#[derive(Debug)]
struct Place {
    address: usize,
    error: WireError,
}

impl DecodeError {
    /// The error at the beginning of some bytes of the message.
    #[cold]
    pub fn at(bytes: &[u8], error: WireError) -> Self {
        let address = bytes.as_ptr() as usize;
        Self(Box::new(Place { address, error }))
    }

    /// The error of a reader over these bytes.
    #[cold]
    pub(crate) fn within(bytes: &[u8], error: WireError) -> Self {
        let offset = match &error {
            WireError::Truncated { offset } | WireError::Invalid { offset, .. } => *offset,
            _ => 0,
        };
        Self::at(bytes.get(offset..).unwrap_or_default(), error)
    }

    /// The error with its offset in the whole message.
    #[cold]
    pub(crate) fn of(self, message: &[u8]) -> WireError {
        let Place { address, mut error } = *self.0;
        if let WireError::Truncated { offset } | WireError::Invalid { offset, .. } = &mut error {
            *offset = address.saturating_sub(message.as_ptr() as usize);
        }
        error
    }
}

impl WireError {
    /// The error for a kind that only JSON can carry.
    pub fn no_protobuf(kind: &str) -> Self {
        Self::NoProtobuf { kind: kind.to_owned() }
    }

    /// The error for a value, to be completed with [`within`](Self::within) on the way out.
    pub(crate) fn value(reason: impl Into<String>) -> Self {
        Self::Value {
            path: String::new(),
            reason: reason.into(),
        }
    }

    /// Where in the input, counted from its first byte, where that is known.
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::Truncated { offset }
            | Self::Invalid { offset, .. }
            | Self::Syntax { offset, .. }
            | Self::Field { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    /// Where in the object, as `spec.containers[0].image`; empty where that is not known or the whole object.
    pub fn path(&self) -> &str {
        match self {
            Self::Mismatch { path, .. } | Self::Field { path, .. } | Self::Value { path, .. } => path,
            _ => "",
        }
    }

    /// Names the field in which the error happened.
    pub(crate) fn within(self, step: &str) -> Self {
        let (path, reason) = match self {
            Self::Value { path, reason } => (path, reason),
            other => (String::new(), other.to_string()),
        };
        Self::Value {
            path: join(step, &path),
            reason,
        }
    }

    /// Names the field in which the error happened; its content begins at `start`.
    pub(crate) fn in_field(self, step: &str, start: usize) -> Self {
        let (path, offset, reason) = match self.after(start) {
            Self::Field { path, offset, reason } => (path, offset, reason),
            Self::Value { path, reason } => (path, start, reason),
            Self::Truncated { offset } => (String::new(), offset, "truncated protobuf".to_owned()),
            Self::Invalid { offset, reason } => (String::new(), offset, format!("invalid protobuf: {reason}")),
            Self::Syntax { offset, message } => (String::new(), offset, message),
            other => (String::new(), start, other.to_string()),
        };
        Self::Field {
            path: join(step, &path),
            offset,
            reason,
        }
    }

    /// Counts from the beginning of what encloses the input, in which the input begins at `start`.
    pub(crate) fn after(mut self, start: usize) -> Self {
        match &mut self {
            Self::Truncated { offset }
            | Self::Invalid { offset, .. }
            | Self::Syntax { offset, .. }
            | Self::Field { offset, .. } => *offset += start,
            _ => {}
        }
        self
    }
}

fn join(step: &str, path: &str) -> String {
    let separator = if path.is_empty() || path.starts_with('[') {
        ""
    } else {
        "."
    };
    format!("{step}{separator}{path}")
}
