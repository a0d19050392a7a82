//! Writes protobuf from the last byte to the first, so that no length has to be known before its content.

use bytes::Bytes;

/// A buffer that grows towards its front.
///
/// A nested message is written first and its length and tag before it, so encoding is one pass. Fields are
/// therefore written in **descending** order, and repeated values from last to first.
///
/// ```
/// use kubewire_client::wire::ReverseWriter;
/// let mut w = ReverseWriter::new();
/// w.varint_field(2, 5);
/// w.bytes_field(1, b"ok");
/// assert_eq!(w.as_slice(), [0x0a, 0x02, b'o', b'k', 0x10, 0x05]);
/// ```
#[derive(Debug, Default)]
pub struct ReverseWriter {
    /// Written bytes are `buffer[start..]`.
    buffer: Vec<u8>,
    start: usize,
}

impl ReverseWriter {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            buffer: vec![0; capacity],
            start: capacity,
        }
    }

    /// What was written so far.
    pub fn as_slice(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// How much was written so far: take it before a nested message and pass it to
    /// [`close_message`](Self::close_message) after.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// True where nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The written bytes.
    pub fn into_bytes(self) -> Bytes {
        let start = self.start;
        Bytes::from(self.buffer).slice(start..)
    }

    /// Writes raw bytes before what was written.
    #[inline]
    pub fn prepend(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            self.grow(bytes.len());
        }
        let from = self.start - bytes.len();
        if let Some(target) = self.buffer.get_mut(from..self.start) {
            target.copy_from_slice(bytes);
            self.start = from;
        }
    }

    /// Writes a varint.
    #[inline]
    pub fn varint(&mut self, value: u64) {
        if value < 0x80 {
            return self.prepend(&[value as u8]);
        }
        let mut encoded = [0u8; 10];
        let mut rest = &mut encoded[..];
        prost::encoding::encode_varint(value, &mut rest);
        let len = 10 - rest.len();
        self.prepend(encoded.get(..len).unwrap_or_default());
    }

    /// Writes a bool, int32 or int64 field; negative numbers are passed sign-extended.
    #[inline]
    pub fn varint_field(&mut self, number: u32, value: u64) {
        self.varint(value);
        self.tag(number, 0);
    }

    /// Writes a double field.
    #[inline]
    pub fn double_field(&mut self, number: u32, value: f64) {
        self.prepend(&value.to_le_bytes());
        self.tag(number, 1);
    }

    /// Writes a string or bytes field.
    #[inline]
    pub fn bytes_field(&mut self, number: u32, value: &[u8]) {
        self.prepend(value);
        self.varint(value.len() as u64);
        self.tag(number, 2);
    }

    /// Writes length and tag before a nested message that began when [`len`](Self::len) was `before`.
    #[inline]
    pub fn close_message(&mut self, number: u32, before: usize) {
        self.varint((self.len() - before) as u64);
        self.tag(number, 2);
    }

    #[inline]
    fn tag(&mut self, number: u32, wire_type: u64) {
        self.varint(u64::from(number) << 3 | wire_type);
    }

    #[cold]
    fn grow(&mut self, need: usize) {
        let written = self.len();
        let capacity = (written + need).max(self.buffer.len() * 2).max(64);
        let mut buffer = vec![0; capacity];
        if let Some(target) = buffer.get_mut(capacity - written..) {
            target.copy_from_slice(self.as_slice());
        }
        self.buffer = buffer;
        self.start = capacity - written;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reader, Value};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_back_what_it_wrote(a in any::<u64>(), b in proptest::collection::vec(any::<u8>(), 0..300), c in any::<u64>()) {
            let mut w = ReverseWriter::new();
            let before = w.len();
            w.bytes_field(2, &b);
            w.varint_field(1, a);
            w.close_message(7, before);
            w.double_field(3, f64::from_bits(c));
            let bytes = w.into_bytes();
            let mut r = Reader::new(&bytes);
            prop_assert_eq!(r.next_field().unwrap().unwrap().value, Value::Fixed64(c));
            let Value::Bytes(nested) = r.next_field().unwrap().unwrap().value else { panic!("not a message") };
            let mut n = Reader::new(nested);
            prop_assert_eq!(n.next_field().unwrap().unwrap().value, Value::Varint(a));
            prop_assert_eq!(n.next_field().unwrap().unwrap().value, Value::Bytes(&b));
        }
    }
}
