//! Whole objects in their envelope, as etcd holds them.

use bytes::Bytes;
use serde_json::Value;

use super::{JsonDocument, begin, cut_off, protobuf_to_value, value_to_protobuf};
use crate::resource::Gvk;
use crate::wire::schema::{self, KindSchema};
use crate::wire::{EncodedObject, Encoding, Envelope, WireError};

/// Reads an object in its `k8s\0` envelope; the document has `kind` and `apiVersion`.
pub fn decode_object(bytes: &Bytes) -> Result<Value, WireError> {
    let envelope = Envelope::decode(bytes).map_err(|error| cut_off::in_envelope(bytes).unwrap_or(error))?;
    let in_envelope = |error: WireError| error.after(begin(bytes, &envelope.object.bytes));
    if envelope.object.encoding == Encoding::Json {
        let document = JsonDocument::parse(&envelope.object.bytes).map_err(in_envelope)?;
        return Ok(document.untyped().0);
    }
    let kind = kind_of(&envelope.api_version, &envelope.kind)?;
    let mut value = protobuf_to_value(kind.message, &envelope.object.bytes).map_err(in_envelope)?;
    if let Value::Object(members) = &mut value {
        members.insert("kind".to_owned(), envelope.kind.into());
        members.insert("apiVersion".to_owned(), envelope.api_version.into());
    }
    Ok(value)
}

/// Writes an object with its `kind` and `apiVersion` into a `k8s\0` envelope.
///
/// ```
/// use kubewire_client::wire::transcode::{decode_object, encode_object};
/// let object = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
/// assert_eq!(decode_object(&encode_object(&object)?)?, object);
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn encode_object(value: &Value) -> Result<Bytes, WireError> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let message = kind_of(api_version, kind)?.message;
    let object = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: value_to_protobuf(message, value)?,
    };
    Ok(crate::wire::envelope::encode(api_version, kind, &object))
}

fn kind_of(api_version: &str, kind: &str) -> Result<&'static KindSchema, WireError> {
    schema::kind(&Gvk::from_api_version(api_version, kind)).ok_or_else(|| WireError::UnknownKind {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    })
}
