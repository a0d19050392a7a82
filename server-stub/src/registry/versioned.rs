//! A stored protobuf object with its version, without a copy: the version is put between two parts of what is stored.

use std::num::{NonZeroU32, NonZeroU64};

use bytes::{BufMut, Bytes, BytesMut};
use kubewire_client::wire::{Reader, Value};

/// What a protobuf value in storage starts with.
const ENVELOPE: &[u8] = b"k8s\0";
/// The object in the envelope.
const RAW: u32 = 2;
/// `ObjectMeta` in every object, and `resourceVersion` in it.
const METADATA: u32 = 1;
const RESOURCE_VERSION: u32 = 6;
/// Field number and type of both, whose content has a length.
const METADATA_KEY: u8 = 0x0a;
const RESOURCE_VERSION_KEY: u8 = 0x32;

/// A message (without envelope) in two parts, and the version that belongs between them.
#[derive(Clone, Debug)]
pub struct VersionedMessage<'a> {
    /// The metadata up to the version.
    before: &'a [u8],
    /// The other metadata and the other fields.
    behind: &'a [u8],
    metadata_length: usize,
    version: Digits,
}

/// Where in a stored value the version belongs: it need not be looked for each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VersionPlace {
    /// Where the metadata begins.
    metadata: NonZeroU32,
    /// How long it is without a version.
    metadata_length: u32,
    /// Where the version belongs.
    at: u32,
    /// Where an old one ends, which is empty as servers write it.
    end: u32,
    /// Where the message ends.
    message_end: u32,
}

impl VersionPlace {
    /// `None` where the value is not as servers write it.
    pub(super) fn find(stored: &[u8]) -> Option<Self> {
        let message = field(stored.strip_prefix(ENVELOPE)?, RAW)?;
        if *message.first()? != METADATA_KEY {
            return None;
        }
        let metadata = field(message, METADATA)?;
        let mut reader = Reader::new(metadata);
        let (at, end) = loop {
            let at = reader.offset();
            match reader.next_field().ok()? {
                Some(field) if field.number < RESOURCE_VERSION => {}
                Some(field) if field.number == RESOURCE_VERSION => break (at, reader.offset()),
                _ => break (at, at),
            }
        };
        let place = |part: &[u8]| part.as_ptr().addr().checked_sub(stored.as_ptr().addr());
        let (message_end, start) = (place(message)? + message.len(), place(metadata)?);
        if field(stored.get(start + metadata.len()..message_end)?, METADATA).is_some() {
            return None;
        }
        let small = |number: usize| u32::try_from(number).ok();
        Some(Self {
            metadata: NonZeroU32::new(small(start)?)?,
            metadata_length: small(metadata.len() - (end - at))?,
            at: small(start + at)?,
            end: small(start + end)?,
            message_end: small(message_end)?,
        })
    }
}

impl<'a> VersionedMessage<'a> {
    /// Takes a stored value apart; `None` without a version.
    pub(super) fn new(stored: &'a [u8], place: VersionPlace, resource_version: u64) -> Option<Self> {
        let at = |number: u32| usize::try_from(number).ok();
        let version = Digits::of(NonZeroU64::new(resource_version)?);
        Some(Self {
            before: stored.get(at(place.metadata.get())?..at(place.at)?)?,
            behind: stored.get(at(place.end)?..at(place.message_end)?)?,
            metadata_length: at(place.metadata_length)? + 2 + version.text().len(),
            version,
        })
    }

    /// How long the message is.
    pub fn length(&self) -> usize {
        let metadata_head = 1 + varint_length(self.metadata_length);
        metadata_head + self.before.len() + 2 + self.version.text().len() + self.behind.len()
    }

    /// The message in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.length());
        self.put(&mut out);
        out.freeze()
    }

    /// Appends the message.
    pub fn put(&self, out: &mut impl BufMut) {
        out.put_u8(METADATA_KEY);
        put_varint(out, self.metadata_length);
        out.put_slice(self.before);
        out.put_u8(RESOURCE_VERSION_KEY);
        put_varint(out, self.version.text().len());
        out.put_slice(self.version.text());
        out.put_slice(self.behind);
    }
}

/// The digits of a number.
#[derive(Clone, Copy, Debug)]
struct Digits {
    /// At the end; a number of 64 bits has 20 at most.
    digits: [u8; 20],
    first: usize,
}

impl Digits {
    fn of(number: NonZeroU64) -> Self {
        let (mut digits, mut first, mut left) = ([0; 20], 20, number.get());
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            if left == 0 {
                break;
            }
            *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
            (first, left) = (place, left / 10);
        }
        Self { digits, first }
    }

    fn text(&self) -> &[u8] {
        self.digits.get(self.first..).unwrap_or_default()
    }
}

/// The content of the first field with this number.
fn field(message: &[u8], number: u32) -> Option<&[u8]> {
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field().ok()? {
        if field.number == number {
            return match field.value {
                Value::Bytes(bytes) => Some(bytes),
                _ => None,
            };
        }
    }
    None
}

/// How many bytes a number takes.
pub(crate) fn varint_length(number: usize) -> usize {
    let bits = usize::BITS - (number | 1).leading_zeros();
    usize::try_from(bits.div_ceil(7)).unwrap_or_default()
}

/// Appends a number.
pub(crate) fn put_varint(out: &mut impl BufMut, mut number: usize) {
    while number >= 0x80 {
        out.put_u8(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.put_u8(u8::try_from(number).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use kubewire_client::wire::{Envelope, transcode, with_resource_version};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn is_what_a_copy_with_the_version_is(
            name in "[a-z]{1,300}", labels in proptest::collection::btree_map("[a-z]{1,9}", ".{0,40}", 0..5),
            generation in 0..3_u64, version in 1..u64::MAX,
        ) {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "labels": labels, "generation": generation}, "data": {"k": name}});
            let stored = transcode::encode_object(&object).unwrap();
            let place = VersionPlace::find(&stored).unwrap();
            let message = VersionedMessage::new(&stored, place, version).unwrap();
            let written = message.to_bytes();
            prop_assert_eq!(message.length(), written.len());
            let plain = Envelope::decode(&stored).unwrap().object.bytes;
            prop_assert_eq!(written, with_resource_version(&plain, &version.to_string()).unwrap());
        }

        #[test]
        fn takes_any_bytes(stored in proptest::collection::vec(any::<u8>(), 0..80)) {
            let stored = [ENVELOPE, &stored].concat();
            let place = VersionPlace::find(&stored);
            let _ = place.and_then(|place| VersionedMessage::new(&stored, place, 7)).map(|message| message.length());
        }
    }

    #[test]
    fn lengths_of_numbers() {
        for (number, length) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (16_383, 2),
            (16_384, 3),
            (u32::MAX as usize, 5),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!((out.len(), varint_length(number)), (length, length), "{number}");
        }
    }
}
