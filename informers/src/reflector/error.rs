//! What can go wrong while reflecting.

use kubewire_client::{Error, ResourceVersion};

use crate::cache::DecodeError;

/// Something went wrong; the reflector goes on all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReflectorError {
    /// A list or a watch failed and will be tried again.
    #[error(transparent)]
    Request(#[from] Error),
    /// An object is in the store, but its type cannot hold it. Only reported where objects are decoded on arrival.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// An object is in the store, but would not decode: its structure is not that of its type.
    #[error("read {resource}: object {key:?} would not decode: {reason}")]
    Undecodable {
        /// What was being read.
        resource: String,
        /// Which object.
        key: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// Something in a list or a watch is no object; it was passed over.
    #[error("read {resource}: object {key:?}: {reason}")]
    NoObject {
        /// What was being read.
        resource: String,
        /// Which object, as far as known.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The server knows only older versions than we have seen: it lost its state. The collection is listed anew.
    #[error("watch {resource}: the server went back from version {known} to {current}, listing anew")]
    WentBack {
        /// What was being watched.
        resource: String,
        /// The version we had reached.
        known: ResourceVersion,
        /// The version the server is at.
        current: ResourceVersion,
    },
}
