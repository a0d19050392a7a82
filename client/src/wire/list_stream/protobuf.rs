//! Lists in protobuf: the envelope, the list, and its items as length-delimited fields.

use bytes::Bytes;

use super::super::list::read_metadata;
use super::super::pending::Pending;
use super::super::{EncodedList, EncodedObject, Encoding, WireError, envelope};
use super::MAX_ITEM;

#[derive(Debug, Default)]
pub(super) struct ProtobufList {
    pending: Pending,
    place: Place,
    list: EncodedList,
    /// Bytes that have been cut off.
    offset: usize,
}

/// Where in the body the pending bytes begin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Place {
    #[default]
    Start,
    /// Inside the envelope, before the list.
    Envelope,
    /// Inside the list, of which so much is left.
    List(usize),
    /// Behind the list.
    End,
}

/// The beginning of a field.
struct Head {
    number: u64,
    /// Bytes of key and length.
    length: usize,
    /// Bytes of the value.
    value: usize,
}

impl ProtobufList {
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.pending.push(chunk);
    }

    pub(super) fn next_item(&mut self) -> Result<Option<EncodedObject>, WireError> {
        loop {
            match self.place {
                Place::Start => {
                    let Some(magic) = self.pending.as_slice().first_chunk::<4>() else {
                        return Ok(None);
                    };
                    if magic != envelope::MAGIC {
                        return Err(self.invalid("no k8s\\0 prefix"));
                    }
                    self.take(magic.len());
                    self.place = Place::Envelope;
                }
                Place::Envelope => match self.head(usize::MAX)? {
                    None => return Ok(None),
                    Some(head) if head.number == 2 => {
                        self.take(head.length);
                        self.place = Place::List(head.value);
                    }
                    Some(head) if self.value(&head)?.is_some() => {}
                    Some(_) => return Ok(None),
                },
                Place::List(0) => self.place = Place::End,
                Place::List(left) => {
                    let Some(head) = self.head(left)? else { return Ok(None) };
                    let Some(value) = self.value(&head)? else {
                        return Ok(None);
                    };
                    self.place = Place::List(left - head.length - head.value);
                    match head.number {
                        1 => read_metadata(&value, &mut self.list)?,
                        2 => {
                            return Ok(Some(EncodedObject {
                                encoding: Encoding::Protobuf,
                                bytes: value,
                            }));
                        }
                        _ => {}
                    }
                }
                Place::End => return Ok(None),
            }
        }
    }

    pub(super) fn finish(self) -> Result<EncodedList, WireError> {
        match self.place {
            Place::End => Ok(self.list),
            _ => Err(WireError::Truncated {
                offset: self.offset + self.pending.as_slice().len(),
            }),
        }
    }

    /// The beginning of the next field, which has to end within `limit` bytes; `None` where more bytes are needed.
    fn head(&self, limit: usize) -> Result<Option<Head>, WireError> {
        let pending = self.pending.as_slice();
        let Some((key, key_length)) = self.varint(pending)? else {
            return Ok(None);
        };
        let rest = pending.get(key_length..).unwrap_or_default();
        let Some((value, value_length)) = self.varint(rest)? else {
            return Ok(None);
        };
        let head = match key & 7 {
            0 => Head {
                number: key >> 3,
                length: key_length + value_length,
                value: 0,
            },
            2 => Head {
                number: key >> 3,
                length: key_length + value_length,
                value: usize::try_from(value).map_err(|_| self.invalid("a length that is out of range"))?,
            },
            _ => return Err(self.invalid("unsupported wire type")),
        };
        match head.length.checked_add(head.value) {
            Some(whole) if whole <= limit => Ok(Some(head)),
            _ => Err(self.invalid("a field that is longer than the list")),
        }
    }

    /// A number at the beginning of `bytes`, and its length.
    fn varint(&self, bytes: &[u8]) -> Result<Option<(u64, usize)>, WireError> {
        let mut rest = bytes;
        match prost::encoding::decode_varint(&mut rest) {
            Ok(value) => Ok(Some((value, bytes.len() - rest.len()))),
            Err(_) if bytes.len() < 10 => Ok(None),
            Err(_) => Err(self.invalid("varint longer than 64 bits")),
        }
    }

    /// Cuts off a field and gives its value; `None` where more bytes are needed.
    fn value(&mut self, head: &Head) -> Result<Option<Bytes>, WireError> {
        if head.value > MAX_ITEM {
            return Err(self.invalid("an item larger than 64 MiB"));
        }
        if self.pending.as_slice().len() < head.length + head.value {
            self.pending.want(head.length + head.value);
            return Ok(None);
        }
        self.take(head.length);
        Ok(Some(self.take(head.value)))
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.offset += length;
        self.pending.take(length)
    }

    fn invalid(&self, reason: &'static str) -> WireError {
        WireError::Invalid {
            offset: self.offset,
            reason,
        }
    }
}
