//! Reads protobuf fields from a slice without copying.

use super::{DecodeError, WireError};

/// One field of a message, still on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// Field number, at least 1.
    pub number: u32,
    /// The field's value.
    pub value: Value<'a>,
    /// What follows in the message.
    after: &'a [u8],
}

impl<'a> Field<'a> {
    /// The same field with another value.
    pub(crate) fn with(self, value: Value<'a>) -> Self {
        Self { value, ..self }
    }

    /// The error for this field, at its end.
    #[cold]
    pub fn error(&self, reason: &'static str) -> DecodeError {
        DecodeError::at(self.after, WireError::Invalid { offset: 0, reason })
    }

    #[cold]
    pub(crate) fn wrong_wire_type(&self) -> DecodeError {
        self.error("wire type does not fit the field")
    }

    /// How many fields of this number follow one another, this one included: what a list needs room for.
    pub(crate) fn run_length(&self) -> usize {
        let mut reader = Reader::new(self.after);
        let mut length = 1;
        while let Ok(Some(next)) = reader.next_field_inlined()
            && next.number == self.number
        {
            length += 1;
        }
        length
    }
}

/// A field's value by wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// bool, int32, int64: wire type 0.
    Varint(u64),
    /// double: wire type 1.
    Fixed64(u64),
    /// string, bytes, message, packed: wire type 2.
    Bytes(&'a [u8]),
    /// Not used by Kubernetes, skipped as an unknown field: wire type 5.
    Fixed32(u32),
}

/// Walks the fields of one message.
///
/// ```
/// use kubewire_client::wire::{Reader, Value};
/// let mut reader = Reader::new(&[0x0a, 0x02, b'o', b'k', 0x10, 0x05]);
/// assert_eq!(reader.next_field()?.map(|f| f.value), Some(Value::Bytes(b"ok")));
/// assert_eq!(reader.next_field()?.map(|f| f.value), Some(Value::Varint(5)));
/// assert_eq!(reader.next_field()?, None);
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// How long the whole message is.
    length: usize,
}

impl<'a> Reader<'a> {
    /// A reader over the whole message.
    #[inline]
    pub fn new(input: &'a [u8]) -> Self {
        Self {
            rest: input,
            length: input.len(),
        }
    }

    /// How many bytes are behind the reader.
    #[inline]
    pub fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// The next field, or `None` at the end of the message.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        self.next_field_inlined()
    }

    /// As [`next_field`](Self::next_field), for loops that have to be fast.
    #[inline(always)]
    pub(crate) fn next_field_inlined(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let before = self.rest;
        let key = self.varint()?;
        let number = (key >> 3) as u32;
        if number == 0 || key >> 32 != 0 {
            return Err(self.invalid(before, "field number out of range"));
        }
        let value = match key & 7 {
            2 => Value::Bytes(self.delimited()?),
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.fixed()?)),
            5 => Value::Fixed32(u32::from_le_bytes(self.fixed()?)),
            _ => return Err(self.invalid(before, "unsupported wire type")),
        };
        Ok(Some(Field {
            number,
            value,
            after: self.rest,
        }))
    }

    /// The next number of a packed list, or `None` at its end.
    pub(crate) fn next_packed(&mut self) -> Result<Option<u64>, WireError> {
        if self.rest.is_empty() {
            Ok(None)
        } else {
            self.varint().map(Some)
        }
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, WireError> {
        match *self.rest {
            [byte @ 0..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [low, high @ 0..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, WireError> {
        let before = self.rest;
        match prost::encoding::decode_varint(&mut self.rest) {
            Ok(value) => Ok(value),
            Err(_) if before.len() < 10 && before.iter().all(|byte| byte & 0x80 != 0) => Err(self.truncated(before)),
            Err(_) => Err(self.invalid(before, "varint longer than 64 bits")),
        }
    }

    #[inline(always)]
    fn delimited(&mut self) -> Result<&'a [u8], WireError> {
        let before = self.rest;
        let length = self.varint()?;
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let Some((slice, rest)) = split else {
            return Err(self.truncated(before));
        };
        self.rest = rest;
        Ok(slice)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(self.rest));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    /// The error for input that ends inside the value at `from`.
    #[cold]
    fn truncated(&self, from: &[u8]) -> WireError {
        WireError::Truncated {
            offset: self.length - from.len(),
        }
    }

    /// The error for what stands at `from`.
    #[cold]
    fn invalid(&self, from: &[u8], reason: &'static str) -> WireError {
        WireError::Invalid {
            offset: self.length - from.len(),
            reason,
        }
    }
}

/// Text of a string field; what is not UTF-8 becomes U+FFFD.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        String::new() // a plain field is on the wire also when it is empty
    } else {
        owned(bytes)
    }
}

#[inline(never)]
fn owned(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reports_truncation_with_its_offset() {
        let mut reader = Reader::new(&[0x08, 0x01, 0x12, 0x05, b'a']);
        assert!(reader.next_field().is_ok());
        assert!(matches!(reader.next_field(), Err(WireError::Truncated { offset: 3 })));
        assert!(matches!(
            Reader::new(&[0x08, 0x80]).next_field(),
            Err(WireError::Truncated { offset: 1 })
        ));
        assert!(matches!(
            Reader::new(&[0x09, 0x80]).next_field(),
            Err(WireError::Truncated { offset: 1 })
        ));
    }

    #[test]
    fn rejects_what_protobuf_forbids() {
        assert!(
            matches!(Reader::new(&[0x00]).next_field(), Err(WireError::Invalid { .. })),
            "field number 0"
        );
        assert!(
            matches!(Reader::new(&[0x0b]).next_field(), Err(WireError::Invalid { .. })),
            "group"
        );
        assert!(
            matches!(Reader::new(&[0xff; 12]).next_field(), Err(WireError::Invalid { .. })),
            "long varint"
        );
    }

    proptest! {
        #[test]
        fn never_panics_and_always_ends(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&input);
            let mut fields = 0;
            while let Ok(Some(_)) = reader.next_field() { fields += 1; }
            prop_assert!(fields <= input.len());
        }
    }
}
