//! Another resourceVersion for an object, without decoding it.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Reader, Value, WireError};

/// `ObjectMeta` in every object kind, and `resourceVersion` in it.
const METADATA: u32 = 1;
const RESOURCE_VERSION: u32 = 6;

/// Copies an object's protobuf message (without envelope) with this `metadata.resourceVersion`.
///
/// A server stores objects without a version and adds it when it reads them: the version is the store's.
pub fn with_resource_version(object: &[u8], version: &str) -> Result<Bytes, WireError> {
    let object = Cut::new(object, METADATA)?;
    // Every server writes metadata once; what stands in several places is read as one.
    let metadata = match object.found[..] {
        [one] => Cow::Borrowed(one),
        _ => Cow::Owned(object.found.concat()),
    };
    let metadata = Cut::new(&metadata, RESOURCE_VERSION)?;
    let length = metadata.length() + field_length(version.len());
    let mut out = BytesMut::with_capacity(object.length() + field_length(length));
    object.put_before(&mut out);
    put_key(&mut out, METADATA, length);
    metadata.put_before(&mut out);
    put_key(&mut out, RESOURCE_VERSION, version.len());
    out.put_slice(version.as_bytes());
    metadata.put_behind(&mut out);
    object.put_behind(&mut out);
    Ok(out.freeze())
}

/// A message from which one field is cut out.
struct Cut<'a> {
    /// The content of the field, wherever it occurs.
    found: Vec<&'a [u8]>,
    /// Everything else; the field belongs behind the first `before` of these.
    rest: Vec<&'a [u8]>,
    before: usize,
}

impl<'a> Cut<'a> {
    fn new(message: &'a [u8], wanted: u32) -> Result<Self, WireError> {
        let mut cut = Self {
            found: Vec::new(),
            rest: Vec::new(),
            before: 0,
        };
        let mut reader = Reader::new(message);
        let (mut start, mut ended) = (0, false);
        loop {
            let at = reader.offset();
            let field = reader.next_field()?;
            let is_wanted = field.as_ref().is_some_and(|field| field.number == wanted);
            let is_behind = field.as_ref().is_none_or(|field| field.number >= wanted);
            if is_wanted || is_behind && !ended {
                cut.rest.push(message.get(start..at).unwrap_or_default());
                start = at;
                if !ended {
                    cut.before = cut.rest.len();
                    ended = true;
                }
            }
            match field.map(|field| field.value) {
                None => break,
                Some(Value::Bytes(content)) if is_wanted => {
                    cut.found.push(content);
                    start = reader.offset();
                }
                Some(_) if is_wanted => {
                    let reason = "metadata or its version has another wire type";
                    return Err(WireError::Invalid { offset: at, reason });
                }
                Some(_) => {}
            }
        }
        cut.rest.push(message.get(start..).unwrap_or_default());
        Ok(cut)
    }

    /// The length of everything else.
    fn length(&self) -> usize {
        self.rest.iter().map(|part| part.len()).sum()
    }

    fn put_before(&self, out: &mut BytesMut) {
        self.rest.iter().take(self.before).for_each(|part| out.put_slice(part));
    }

    fn put_behind(&self, out: &mut BytesMut) {
        self.rest.iter().skip(self.before).for_each(|part| out.put_slice(part));
    }
}

/// Key and length of a length-delimited field with a number below 16.
fn put_key(out: &mut BytesMut, number: u32, length: usize) {
    out.put_u8((number as u8) << 3 | 2);
    prost::encoding::encode_varint(length as u64, out);
}

/// The length of such a field.
fn field_length(content: usize) -> usize {
    1 + prost::encoding::encoded_len_varint(content as u64) + content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;
    use k8s_openapi::api::core::v1::ConfigMap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn changes_nothing_else(old in proptest::option::of("[0-9]{0,20}"), new in "[0-9]{0,30}", name in ".{0,40}") {
            let mut object = ConfigMap::default();
            object.metadata.name = Some(name);
            object.metadata.resource_version = old;
            object.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
            object.data = Some([("k".to_owned(), "v".repeat(200))].into());
            let changed = with_resource_version(&object.to_protobuf(), &new).unwrap();
            object.metadata.resource_version = Some(new);
            prop_assert_eq!(changed, object.to_protobuf());
        }

        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = with_resource_version(&input, "7");
        }
    }

    #[test]
    fn an_object_without_metadata_gets_some() {
        let object = with_resource_version(b"", "12").unwrap();
        assert_eq!(&object[..], b"\x0a\x04\x32\x0212");
        let object = with_resource_version(b"\x12\x01x", "12").unwrap();
        assert_eq!(&object[..], b"\x0a\x04\x32\x0212\x12\x01x");
    }

    #[test]
    fn no_other_version_is_left() {
        // { metadata = { 7 = 1, version = "a" }, 2 = "x", metadata = { version = "b", name = "n" } }
        let object = b"\x0a\x05\x38\x01\x32\x01a\x12\x01x\x0a\x06\x32\x01b\x0a\x01n";
        let changed = with_resource_version(object, "12").unwrap();
        assert_eq!(&changed[..], b"\x0a\x09\x32\x0212\x38\x01\x0a\x01n\x12\x01x");
    }
}
