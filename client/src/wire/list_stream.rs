//! Cuts a list into its items as it arrives.

use bytes::Bytes;

use super::list::read_metadata;
use super::pending::Pending;
use super::{EncodedList, EncodedObject, Encoding, WireError, envelope};

/// The largest item that is accepted: well above what etcd can store.
const MAX_ITEM: usize = 64 << 20;

/// Cuts the body of a list response into items, however it was cut into chunks, without ever holding all of it.
///
/// Only protobuf can be cut on its way; of JSON the items come with [`finish`](ListDecoder::finish).
///
/// ```
/// use kubewire_client::wire::{Encoding, ListDecoder};
/// let mut decoder = ListDecoder::new(Encoding::Json);
/// decoder.push(br#"{"metadata":{"resourceVersion":"7"},"#.as_slice().into());
/// decoder.push(br#""items":[{"metadata":{}}]}"#.as_slice().into());
/// assert!(decoder.next_item()?.is_none());
/// let list = decoder.finish()?;
/// assert_eq!((list.resource_version.as_str(), list.items.len()), ("7", 1));
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct ListDecoder {
    encoding: Encoding,
    pending: Pending,
    place: Place,
    list: EncodedList,
    /// Bytes that have been cut off.
    offset: usize,
}

/// Where in the body the pending bytes begin.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
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

impl ListDecoder {
    /// A decoder of a body in the given encoding.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            pending: Pending::default(),
            place: Place::Start,
            list: EncodedList::default(),
            offset: 0,
        }
    }

    /// Adds received bytes.
    pub fn push(&mut self, chunk: Bytes) {
        self.pending.push(chunk);
    }

    /// The next whole item, or `None` where more bytes are needed.
    pub fn next_item(&mut self) -> Result<Option<EncodedObject>, WireError> {
        if self.encoding == Encoding::Json {
            return Ok(None);
        }
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

    /// The body has ended: what the list says of itself, and the items that have not been given out.
    pub fn finish(mut self) -> Result<EncodedList, WireError> {
        match self.encoding {
            Encoding::Json => {
                let bytes = self.pending.take(self.pending.as_slice().len());
                EncodedList::parse(&EncodedObject {
                    encoding: Encoding::Json,
                    bytes,
                })
            }
            Encoding::Protobuf => {
                let mut items = Vec::new();
                while let Some(item) = self.next_item()? {
                    items.push(item);
                }
                if self.place != Place::End {
                    return Err(WireError::Truncated {
                        offset: self.offset + self.pending.as_slice().len(),
                    });
                }
                self.list.items = items;
                Ok(self.list)
            }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ReverseWriter;
    use super::*;

    fn list(items: &[Vec<u8>]) -> Bytes {
        let mut writer = ReverseWriter::new();
        for item in items.iter().rev() {
            writer.bytes_field(2, item);
        }
        let before = writer.len();
        writer.bytes_field(3, b"next");
        writer.bytes_field(2, b"7");
        writer.close_message(1, before);
        let object = EncodedObject {
            encoding: Encoding::Protobuf,
            bytes: writer.into_bytes(),
        };
        envelope::encode("v1", "PodList", &object)
    }

    fn decode(body: &[u8], cuts: &[usize]) -> Result<(Vec<Vec<u8>>, EncodedList), WireError> {
        let mut decoder = ListDecoder::new(Encoding::Protobuf);
        let (mut rest, mut cuts, mut items) = (body, cuts.iter().cycle(), Vec::new());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            rest = after;
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(item) = decoder.next_item()? {
                items.push(item.bytes.to_vec());
            }
        }
        Ok((items, decoder.finish()?))
    }

    #[test]
    fn an_end_inside_the_list_is_an_error() {
        let body = list(&[vec![0x0a, 0]]);
        assert!(decode(&body, &[100]).is_ok());
        for length in 0..body.len() - 4 {
            assert!(decode(&body[..length], &[100]).is_err(), "{length}");
        }
    }

    #[test]
    fn refuses_other_bytes_and_fields_that_leave_the_list() {
        assert!(decode(b"{\"items\":[]}", &[3]).is_err());
        assert!(decode(b"k8s\0\x12\x02\x12\x7f", &[3]).is_err());
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(
            items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..10),
            cuts in proptest::collection::vec(1..400usize, 1..60),
        ) {
            let (seen, list) = decode(&list(&items), &cuts).unwrap();
            prop_assert_eq!(seen, items);
            prop_assert_eq!((list.resource_version.as_str(), list.continue_token.as_deref()), ("7", Some("next")));
            prop_assert!(list.items.is_empty());
        }

        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..200), list: bool) {
            let head = if list { b"k8s\0\x12\x64".as_slice() } else { b"" };
            let _ = decode(&[head, &input].concat(), &[7]);
        }
    }
}
