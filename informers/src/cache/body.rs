//! What an entry keeps apart from its metadata, and how it becomes an object.

use std::sync::{Arc, Weak};

#[cfg(feature = "zstd")]
use super::packed::Packed;

/// The content of an entry, by its format and by what was done with it.
pub(super) enum Body<K> {
    /// Bytes, until somebody looks inside.
    Encoded(Box<[u8]>),
    /// Bytes for good, and the decoded object while somebody has it.
    Shared(Box<[u8]>, Weak<K>),
    /// The same, compressed.
    #[cfg(feature = "zstd")]
    Packed(Packed, Weak<K>),
    /// The decoded object.
    Decoded(Arc<K>),
}

impl<K> Body<K> {
    /// The decoded object, where there is one now.
    pub(super) fn decoded(&self) -> Option<Arc<K>> {
        match self {
            Self::Encoded(_) => None,
            Self::Shared(_, decoded) => decoded.upgrade(),
            #[cfg(feature = "zstd")]
            Self::Packed(_, decoded) => decoded.upgrade(),
            Self::Decoded(decoded) => Some(decoded.clone()),
        }
    }

    /// Remembers the decoded object as the format has it.
    pub(super) fn remember(&mut self, object: &Arc<K>) {
        match self {
            Self::Encoded(_) => *self = Self::Decoded(object.clone()),
            Self::Shared(_, decoded) => *decoded = Arc::downgrade(object),
            #[cfg(feature = "zstd")]
            Self::Packed(_, decoded) => *decoded = Arc::downgrade(object),
            Self::Decoded(_) => {}
        }
    }
}
