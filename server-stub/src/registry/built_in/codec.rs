//! Built-in objects in storage: a `k8s\0` envelope around the protobuf message, as etcd holds them.

use std::ops::Range;

use bytes::Bytes;
use kubewire_client::wire::schema::KindSchema;
use kubewire_client::wire::{Envelope, ObjectHeader, Reader, ReverseWriter, Value as WireValue, WireError, transcode};
use serde_json::Value;

use crate::registry::codec::ObjectCodec;

/// Stores objects of a built-in kind.
#[derive(Clone, Copy, Debug)]
pub struct ProtobufCodec(pub &'static KindSchema);

impl ObjectCodec for ProtobufCodec {
    fn encode(&self, document: &Value) -> Result<Bytes, WireError> {
        transcode::encode_object(document)
    }

    fn decode(&self, stored: &Bytes) -> Result<Value, WireError> {
        transcode::decode_object(stored)
    }

    fn header(&self, stored: &Bytes) -> Result<ObjectHeader, WireError> {
        ObjectHeader::parse(&Envelope::decode(stored)?.object)
    }

    fn protobuf(&self, stored: &Bytes, resource_version: &str) -> Result<Option<Bytes>, WireError> {
        let message = Envelope::decode(stored)?.object.bytes;
        with_resource_version(&message, resource_version).map(Some)
    }

    fn json(&self, document: &Value) -> Result<Bytes, WireError> {
        let mut text = Vec::with_capacity(512);
        transcode::write_json(self.0.message, document, &mut text);
        Ok(text.into())
    }
}

/// The field of an object that holds its metadata, and the field of that which holds the version.
const METADATA: u32 = 1;
const RESOURCE_VERSION: u32 = 6;

/// Copies an object's message with a version put into its metadata.
fn with_resource_version(message: &[u8], version: &str) -> Result<Bytes, WireError> {
    let mut writer = ReverseWriter::with_capacity(message.len() + version.len() + 8);
    let Some((at, metadata)) = find(message, METADATA)? else {
        let before = writer.len();
        writer.bytes_field(RESOURCE_VERSION, version.as_bytes());
        writer.close_message(METADATA, before);
        return Ok(writer.into_bytes());
    };
    writer.prepend(message.get(at.end..).unwrap_or_default());
    let before = writer.len();
    let (old, _) = find(metadata, RESOURCE_VERSION)?.unwrap_or((metadata.len()..metadata.len(), &[]));
    writer.prepend(metadata.get(old.end..).unwrap_or_default());
    writer.bytes_field(RESOURCE_VERSION, version.as_bytes());
    writer.prepend(metadata.get(..old.start).unwrap_or_default());
    writer.close_message(METADATA, before);
    writer.prepend(message.get(..at.start).unwrap_or_default());
    Ok(writer.into_bytes())
}

/// Where a field with a length stands, and what is in it.
fn find(message: &[u8], number: u32) -> Result<Option<(Range<usize>, &[u8])>, WireError> {
    let mut reader = Reader::new(message);
    let mut start = 0;
    while let Some(field) = reader.next_field()? {
        if let (true, WireValue::Bytes(bytes)) = (field.number == number, field.value) {
            return Ok(Some((start..reader.offset(), bytes)));
        }
        start = reader.offset();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubewire_client::Gvk;
    use kubewire_client::wire::schema;
    use serde_json::json;

    #[test]
    fn the_version_goes_where_the_type_has_it() {
        let codec = ProtobufCodec(schema::kind(&Gvk::new("", "v1", "ConfigMap")).unwrap());
        let document = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "b", "uid": "u", "labels": {"x": "y"}}, "data": {"k": "v"},
        });
        let stored = codec.encode(&document).unwrap();
        assert_eq!(codec.decode(&stored).unwrap(), document);
        assert_eq!(codec.header(&stored).unwrap().name, "a");
        let message = codec.protobuf(&stored, "17").unwrap().unwrap();
        let mut expected = document.clone();
        expected["metadata"]["resourceVersion"] = "17".into();
        assert_eq!(
            message,
            transcode::value_to_protobuf(codec.0.message, &expected).unwrap()
        );
        assert!(with_resource_version(b"\x0a\x7f", "1").is_err());
    }
}
