//! Reads protobuf fields from a slice without copying.

use super::WireError;

/// One field of a message, still on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// Field number, at least 1.
    pub number: u32,
    /// The field's value.
    pub value: Value<'a>,
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
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader over the whole message.
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// How many bytes are behind the reader.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next field, or `None` at the end of the message.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.at == self.input.len() {
            return Ok(None);
        }
        let start = self.at;
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).unwrap_or(0);
        if number == 0 || number >= 1 << 29 {
            return Err(WireError::Invalid {
                offset: start,
                reason: "field number out of range",
            });
        }
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => Value::Bytes(self.delimited()?),
            5 => Value::Fixed32(u32::from_le_bytes(self.fixed()?)),
            _ => {
                return Err(WireError::Invalid {
                    offset: start,
                    reason: "unsupported wire type",
                });
            }
        };
        Ok(Some(Field { number, value }))
    }

    /// The next number of a packed list, or `None` at its end.
    pub(crate) fn next_packed(&mut self) -> Result<Option<u64>, WireError> {
        if self.at == self.input.len() {
            Ok(None)
        } else {
            self.varint().map(Some)
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        let start = self.at;
        let mut rest = self.input.get(start..).unwrap_or_default();
        if let Some(&byte) = rest.first()
            && byte < 0x80
        {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        let before = rest.len();
        let value = prost::encoding::decode_varint(&mut rest).map_err(|_| {
            let ends_inside = before < 10
                && self
                    .input
                    .get(start..)
                    .unwrap_or_default()
                    .iter()
                    .all(|b| b & 0x80 != 0);
            if ends_inside {
                WireError::Truncated { offset: start }
            } else {
                WireError::Invalid {
                    offset: start,
                    reason: "varint longer than 64 bits",
                }
            }
        })?;
        self.at += before - rest.len();
        Ok(value)
    }

    #[inline]
    fn delimited(&mut self) -> Result<&'a [u8], WireError> {
        let start = self.at;
        let len = self.varint()?;
        let rest = self.input.get(self.at..).unwrap_or_default();
        let slice = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let slice = slice.ok_or(WireError::Truncated { offset: start })?;
        self.at += slice.len();
        Ok(slice)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let bytes = self.input.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let bytes = *bytes.ok_or(WireError::Truncated { offset: self.at })?;
        self.at += N;
        Ok(bytes)
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
