//! Bytes that were received and not yet cut into messages.

use bytes::{Bytes, BytesMut};

/// One shared chunk while messages lie inside it, a joined copy only where one crosses a border.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Buffer,
    /// How many bytes the message at the beginning has, where that is known.
    wanted: usize,
}

#[derive(Debug)]
enum Buffer {
    Chunk(Bytes),
    Joined(BytesMut),
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Chunk(Bytes::new())
    }
}

impl Pending {
    pub(super) fn push(&mut self, chunk: Bytes) {
        match &mut self.bytes {
            Buffer::Chunk(rest) if rest.is_empty() => *rest = chunk,
            Buffer::Chunk(rest) => {
                let room = rest.len().max(self.wanted) + chunk.len();
                let mut joined = BytesMut::with_capacity(room);
                joined.extend_from_slice(rest);
                joined.extend_from_slice(&chunk);
                self.bytes = Buffer::Joined(joined);
            }
            Buffer::Joined(joined) => joined.extend_from_slice(&chunk),
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match &self.bytes {
            Buffer::Chunk(bytes) => bytes,
            Buffer::Joined(bytes) => bytes,
        }
    }

    /// The message at the beginning has so many bytes: there will be room for them.
    pub(super) fn want(&mut self, length: usize) {
        self.wanted = length;
    }

    /// Cuts off the first bytes, of which there must be so many; what remains of a joined buffer is shared from then on.
    pub(super) fn take(&mut self, length: usize) -> Bytes {
        self.wanted = 0;
        if let Buffer::Joined(joined) = &mut self.bytes {
            self.bytes = Buffer::Chunk(std::mem::take(joined).freeze());
        }
        match &mut self.bytes {
            Buffer::Chunk(bytes) => bytes.split_to(length),
            Buffer::Joined(bytes) => bytes.split_to(length).freeze(),
        }
    }
}
