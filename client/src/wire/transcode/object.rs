//! Whole objects in their envelope, as etcd holds them.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use super::{FieldProblem, JsonDocument, begin, cut_off, from_protobuf, json_text};
use super::{json_to_protobuf, protobuf_to_json, value_to_protobuf};
use crate::resource::Gvk;
use crate::wire::message::Depth;
use crate::wire::schema::{self, KindSchema};
use crate::wire::{EncodedObject, Encoding, Envelope, WireError, envelope};

/// Reads an object in its `k8s\0` envelope; the document has `kind` and `apiVersion`.
pub fn decode_object(bytes: &[u8]) -> Result<Value, WireError> {
    nested_object(bytes, Depth::outermost()).map_err(|error| cut_off::in_envelope(bytes).unwrap_or(error))
}

/// Reads an object in an envelope that stands inside another object, as in a watch event.
pub(in crate::wire) fn nested_object(bytes: &[u8], depth: Depth) -> Result<Value, WireError> {
    let envelope = envelope::Parts::read(bytes)?;
    let in_envelope = |error: WireError| error.after(begin(bytes, envelope.object));
    if envelope.encoding == Encoding::Json {
        let document = JsonDocument::parse(envelope.object).map_err(in_envelope)?;
        return Ok(document.untyped().0);
    }
    let kind = kind_of(&envelope.api_version, &envelope.kind)?;
    let mut value = from_protobuf::message(kind.message, envelope.object, depth).map_err(in_envelope)?;
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

/// Reads an object in its `k8s\0` envelope and writes it as JSON text with `kind` and `apiVersion`, as the API server
/// would: see [`protobuf_to_json`].
pub fn object_to_json(bytes: &Bytes) -> Result<Vec<u8>, WireError> {
    let envelope = Envelope::decode(bytes)?;
    if envelope.object.encoding == Encoding::Json {
        return Ok(envelope.object.bytes.to_vec());
    }
    let message = kind_of(&envelope.api_version, &envelope.kind)?.message;
    let json = protobuf_to_json(message, &envelope.object.bytes)
        .map_err(|error| error.after(begin(bytes, &envelope.object.bytes)))?;
    let mut text = Vec::with_capacity(json.len() + envelope.kind.len() + envelope.api_version.len() + 32);
    let mut mark = b'{';
    for (name, value) in [("kind", &envelope.kind), ("apiVersion", &envelope.api_version)] {
        if !value.is_empty() {
            text.push(mark);
            mark = b',';
            json_text::string(name, &mut text);
            text.push(b':');
            json_text::string(value, &mut text);
        }
    }
    match json.split_first() {
        Some((_, members)) if mark == b',' => {
            if members != b"}" {
                text.push(mark);
            }
            text.extend_from_slice(members);
            Ok(text)
        }
        _ => Ok(json),
    }
}

/// Reads JSON text with `kind` and `apiVersion` and writes it as an object in a `k8s\0` envelope: see
/// [`json_to_protobuf`].
///
/// ```
/// use kubewire_client::wire::transcode::{json_to_object, object_to_json};
/// let json = br#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}"#;
/// let (object, problems) = json_to_object(json)?;
/// assert!(problems.is_empty());
/// assert_eq!(object_to_json(&object.into())?, json);
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn json_to_object(text: &[u8]) -> Result<(Bytes, Vec<FieldProblem>), WireError> {
    let (api_version, kind) = match serde_json::from_slice::<TypeMeta<'_>>(text) {
        Ok(TypeMeta { api_version, kind }) => (api_version.into_owned(), kind.into_owned()),
        Err(_) => {
            let document = JsonDocument::parse(text)?;
            let (api_version, kind) = document.type_meta();
            (api_version.to_owned(), kind.to_owned())
        }
    };
    let (bytes, problems) = json_to_protobuf(kind_of(&api_version, &kind)?.message, text)?;
    let object = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes,
    };
    Ok((crate::wire::envelope::encode(&api_version, &kind, &object), problems))
}

#[derive(serde::Deserialize)]
struct TypeMeta<'a> {
    #[serde(borrow, default, rename = "apiVersion")]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

fn kind_of(api_version: &str, kind: &str) -> Result<&'static KindSchema, WireError> {
    schema::kind(&Gvk::from_api_version(api_version, kind)).ok_or_else(|| WireError::UnknownKind {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    })
}
