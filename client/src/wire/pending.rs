//! Bytes that were received and not yet cut into messages.

use bytes::{Bytes, BytesMut};

/// One shared chunk while messages lie inside it, a joined copy only where one crosses a border.
#[derive(Debug)]
pub(super) enum Pending {
    Chunk(Bytes),
    Joined(BytesMut),
}

impl Default for Pending {
    fn default() -> Self {
        Self::Chunk(Bytes::new())
    }
}

impl Pending {
    pub(super) fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Chunk(rest) if rest.is_empty() => *rest = chunk,
            Self::Chunk(rest) => {
                let mut joined = BytesMut::with_capacity(rest.len() + chunk.len());
                joined.extend_from_slice(rest);
                joined.extend_from_slice(&chunk);
                *self = Self::Joined(joined);
            }
            Self::Joined(joined) => joined.extend_from_slice(&chunk),
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Chunk(bytes) => bytes,
            Self::Joined(bytes) => bytes,
        }
    }

    /// Cuts off the first bytes, of which there must be so many; what remains of a joined buffer is shared from then on.
    pub(super) fn take(&mut self, length: usize) -> Bytes {
        if let Self::Joined(joined) = self {
            *self = Self::Chunk(std::mem::take(joined).freeze());
        }
        match self {
            Self::Chunk(bytes) => bytes.split_to(length),
            Self::Joined(bytes) => bytes.split_to(length).freeze(),
        }
    }
}
