//! Another resourceVersion for an object, without decoding it.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Reader, Value, WireError};

/// `ObjectMeta` in every object kind, and `resourceVersion` in it.
const METADATA: u32 = 1;
const RESOURCE_VERSION: u32 = 6;

/// Copies an object's protobuf message (without envelope) with this `metadata.resourceVersion`.
///
/// A server stores objects without a version and adds it when it reads them: the version is the store's.
pub fn with_resource_version(object: &[u8], version: &str) -> Result<Bytes, WireError> {
    let (before, metadata, after) = find(object, METADATA)?;
    let (head, _, tail) = find(metadata, RESOURCE_VERSION)?;
    let field_length = 1 + length_size(version.len()) + version.len();
    let metadata_length = head.len() + field_length + tail.len();
    let mut out = BytesMut::with_capacity(object.len() + version.len() + 8);
    out.put_slice(before);
    put_key(&mut out, METADATA, metadata_length);
    out.put_slice(head);
    put_key(&mut out, RESOURCE_VERSION, version.len());
    out.put_slice(version.as_bytes());
    out.put_slice(tail);
    out.put_slice(after);
    Ok(out.freeze())
}

/// Before a field, its content, and after it.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// What is before a field, its content, and what is after it; where it is absent, the place where it belongs.
fn find(message: &[u8], wanted: u32) -> Result<Parts<'_>, WireError> {
    let mut reader = Reader::new(message);
    loop {
        let start = reader.offset();
        let split = |from: usize, to: usize| (message.split_at(from).0, message.split_at(to).1);
        match reader.next_field()? {
            Some(field) if field.number == wanted => {
                let Value::Bytes(content) = field.value else {
                    let reason = "metadata or its version has another wire type";
                    return Err(WireError::Invalid { offset: start, reason });
                };
                let (before, after) = split(start, reader.offset());
                return Ok((before, content, after));
            }
            Some(field) if field.number < wanted => {}
            _ => {
                let (before, after) = split(start, start);
                return Ok((before, &[], after));
            }
        }
    }
}

/// Key and length of a length-delimited field with a number below 16.
fn put_key(out: &mut BytesMut, number: u32, length: usize) {
    out.put_u8((number as u8) << 3 | 2);
    prost::encoding::encode_varint(length as u64, out);
}

fn length_size(length: usize) -> usize {
    prost::encoding::encoded_len_varint(length as u64)
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
}
