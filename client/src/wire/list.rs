//! Cuts a list into its items without decoding them.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{EncodedObject, Encoding, Reader, Value, WireError, reader};
use crate::resource::ResourceVersion;

/// A list whose items are still encoded. Protobuf items share the memory of the response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EncodedList {
    /// The version the list was read at.
    pub resource_version: ResourceVersion,
    /// Where the next page begins; `None` on the last page.
    pub continue_token: Option<String>,
    /// How many items follow on later pages, where the server knows.
    pub remaining_item_count: Option<i64>,
    /// The items.
    pub items: Vec<EncodedObject>,
}

impl EncodedList {
    /// Reads a list kind: `metadata` is field 1 and `items` field 2 in all of them.
    pub fn parse(list: &EncodedObject) -> Result<Self, WireError> {
        match list.encoding {
            Encoding::Protobuf => parse_protobuf(&list.bytes),
            Encoding::Json => parse_json(&list.bytes),
        }
    }
}

fn parse_protobuf(bytes: &Bytes) -> Result<EncodedList, WireError> {
    let mut list = EncodedList::default();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next_field()? {
        match (field.number, field.value) {
            (1, Value::Bytes(metadata)) => read_metadata(metadata, &mut list)?,
            (2, Value::Bytes(item)) => {
                list.items.push(EncodedObject {
                    encoding: Encoding::Protobuf,
                    bytes: bytes.slice_ref(item),
                });
            }
            _ => {}
        }
    }
    Ok(list)
}

/// `ListMeta`: resourceVersion=2, continue=3, remainingItemCount=4.
pub(super) fn read_metadata(metadata: &[u8], list: &mut EncodedList) -> Result<(), WireError> {
    let mut reader = Reader::new(metadata);
    while let Some(field) = reader.next_field()? {
        match (field.number, field.value) {
            (2, Value::Bytes(text)) => list.resource_version = reader::text(text).into(),
            (3, Value::Bytes(text)) if !text.is_empty() => {
                list.continue_token = Some(reader::text(text));
            }
            (4, Value::Varint(count)) => list.remaining_item_count = Some(count.cast_signed()),
            _ => {}
        }
    }
    Ok(())
}

fn parse_json(bytes: &Bytes) -> Result<EncodedList, WireError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(default)]
        metadata: Option<ListMeta>,
        #[serde(borrow)]
        items: Option<Vec<&'a RawValue>>,
    }
    let list: List<'_> = serde_json::from_slice(bytes)?;
    let metadata = list.metadata.unwrap_or_default();
    let items = list.items.unwrap_or_default().into_iter();
    let object = |item: &RawValue| EncodedObject {
        encoding: Encoding::Json,
        bytes: bytes.slice_ref(item.get().as_bytes()),
    };
    Ok(EncodedList {
        items: items.map(object).collect(),
        ..metadata.into_list()
    })
}

/// What a list in JSON says of itself.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMeta {
    resource_version: Option<String>,
    r#continue: Option<String>,
    remaining_item_count: Option<i64>,
}

impl ListMeta {
    /// Reads the value of `metadata`.
    pub(super) fn read(text: &[u8], list: &mut EncodedList) -> Result<(), WireError> {
        *list = serde_json::from_slice::<Option<Self>>(text)?
            .unwrap_or_default()
            .into_list();
        Ok(())
    }

    fn into_list(self) -> EncodedList {
        EncodedList {
            resource_version: self.resource_version.unwrap_or_default().into(),
            continue_token: self.r#continue.filter(|token| !token.is_empty()),
            remaining_item_count: self.remaining_item_count,
            items: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReverseWriter;
    use super::*;

    #[test]
    fn cuts_both_encodings_alike() {
        let json = br#"{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"next","remainingItemCount":3},"items":[{"a":1},{"b":2}]}"#;
        let json = EncodedObject {
            encoding: Encoding::Json,
            bytes: Bytes::from_static(json),
        };
        let json = EncodedList::parse(&json).unwrap();
        let mut writer = ReverseWriter::new();
        writer.bytes_field(2, b"\x0a\x00");
        writer.bytes_field(2, b"");
        let before = writer.len();
        writer.varint_field(4, 3);
        writer.bytes_field(3, b"next");
        writer.bytes_field(2, b"7");
        writer.close_message(1, before);
        let protobuf = EncodedObject {
            encoding: Encoding::Protobuf,
            bytes: writer.into_bytes(),
        };
        let protobuf = EncodedList::parse(&protobuf).unwrap();
        for list in [&json, &protobuf] {
            assert_eq!(list.resource_version.as_str(), "7");
            assert_eq!(list.continue_token.as_deref(), Some("next"));
            assert_eq!(list.remaining_item_count, Some(3));
            assert_eq!(list.items.len(), 2);
        }
        assert_eq!(&json.items[1].bytes[..], b"{\"b\":2}");
        assert_eq!(&protobuf.items[1].bytes[..], b"\x0a\x00");
    }

    #[test]
    fn an_empty_list_has_null_items() {
        let list = EncodedObject {
            encoding: Encoding::Json,
            bytes: Bytes::from_static(br#"{"metadata":{},"items":null}"#),
        };
        assert_eq!(EncodedList::parse(&list).unwrap(), EncodedList::default());
    }
}
