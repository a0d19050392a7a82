//! JSON ⇄ protobuf of every built-in message, by the [runtime schema](super::schema).
//!
//! The pivot is [`serde_json::Value`]: a complete document, exactly what the API server would answer in JSON. Fields
//! that JSON always shows are there even when they are zero (`"containers": null`), empty ones that it leaves out are
//! not, quantities and times are in canonical form, unknown fields are gone. Raw JSON inside an object
//! (`RawExtension`, `FieldsV1`) keeps its content, not its spelling.
//!
//! ```
//! use kubewire_client::wire::{schema, transcode};
//! let schema = schema::message("core.v1.Pod").expect("a built-in message");
//! let (pod, problems) = transcode::json_to_value(schema, br#"{"metadata": {"name": "a", "nmae": "b"}}"#)?;
//! assert_eq!(pod["spec"]["containers"], serde_json::Value::Null);
//! assert_eq!(problems[0].to_string(), "unknown field \"metadata.nmae\"");
//! let protobuf = transcode::value_to_protobuf(schema, &pod)?;
//! assert_eq!(transcode::protobuf_to_value(schema, &protobuf)?, pod);
//! # Ok::<(), kubewire_client::wire::WireError>(())
//! ```

mod base64;
mod cut_off;
mod direct;
mod document;
mod duration;
mod from_json;
mod from_protobuf;
mod json_text;
mod object;
mod parser;
mod problem;
mod raw_text;
mod time;
mod to_json;
mod to_protobuf;
mod unknown;
mod zero;

#[cfg(test)]
mod tests;

pub use document::JsonDocument;
pub(in crate::wire) use object::nested_object;
pub use object::{decode_object, encode_object, json_to_object, object_to_json};
pub use problem::FieldProblem;
pub use unknown::{UnknownField, keep_unknown_fields, unknown_fields};

use bytes::Bytes;
use serde_json::Value;

use super::message::Depth;
use super::schema::MessageSchema;
use super::{ReverseWriter, WireError};

/// Reads a protobuf message without envelope. The caller adds `kind` and `apiVersion`, which are not in the message.
pub fn protobuf_to_value(schema: &MessageSchema, bytes: &[u8]) -> Result<Value, WireError> {
    from_protobuf::message(schema, bytes, Depth::outermost())
        .map_err(|error| cut_off::in_message(schema, bytes).unwrap_or(error))
}

/// Writes a protobuf message without envelope. Members that the schema does not know are left out.
pub fn value_to_protobuf(schema: &MessageSchema, value: &Value) -> Result<Bytes, WireError> {
    if schema.json_only {
        return Err(WireError::no_protobuf(schema.short_name()));
    }
    let mut writer = ReverseWriter::with_capacity(4096);
    to_protobuf::message(schema, value, &mut writer, Depth::outermost())?;
    Ok(writer.into_bytes())
}

/// Reads JSON text as an object of the message's type, as the API server would hold it.
///
/// Members that it would ignore are reported: what field validation warns of or refuses. The rest of the
/// errors are [`WireError::Syntax`] and [`WireError::Mismatch`], in the words of the API server.
pub fn json_to_value(schema: &MessageSchema, text: &[u8]) -> Result<(Value, Vec<FieldProblem>), WireError> {
    JsonDocument::parse(text)?.typed(schema)
}

/// Appends the JSON text of a value, its members in the order of the schema. What the value lacks is added, what JSON
/// leaves out is left out.
pub fn write_json(schema: &MessageSchema, value: &Value, out: &mut Vec<u8>) {
    to_json::message(schema, value, out);
}

/// Reads a protobuf message without envelope and writes it as JSON text, as the API server would.
///
/// Raw JSON inside the object keeps its spelling, except for white space and what matters to HTML.
pub fn protobuf_to_json(schema: &MessageSchema, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    if let Some(text) = direct::to_json(schema, bytes) {
        return Ok(text);
    }
    let mut text = Vec::with_capacity(bytes.len() * 2);
    write_json(schema, &protobuf_to_value(schema, bytes)?, &mut text);
    Ok(text)
}

/// Reads JSON text as an object of the message's type and writes it as a protobuf message without envelope. Problems
/// and errors are those of [`json_to_value`]; `kind` and `apiVersion` are not in the message.
///
/// Raw JSON inside the object keeps its spelling, unless there are problems.
///
/// ```
/// use kubewire_client::wire::{schema, transcode};
/// let schema = schema::message("core.v1.ConfigMap").expect("a built-in message");
/// let (protobuf, problems) = transcode::json_to_protobuf(schema, br#"{"kind": "ConfigMap", "data": {"a": "b"}}"#)?;
/// assert!(problems.is_empty());
/// assert_eq!(transcode::protobuf_to_json(schema, &protobuf)?, br#"{"metadata":{},"data":{"a":"b"}}"#);
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn json_to_protobuf(schema: &MessageSchema, text: &[u8]) -> Result<(Bytes, Vec<FieldProblem>), WireError> {
    if !schema.json_only
        && let Some(bytes) = direct::to_protobuf(schema, text)
    {
        return Ok((bytes, Vec::new()));
    }
    let (value, problems) = json_to_value(schema, text)?;
    Ok((value_to_protobuf(schema, &value)?, problems))
}

/// Appends the JSON text of a value that has no schema, such as a custom resource: `apiVersion`, `kind` and `metadata`
/// stand where their names sort, as the API server writes them.
pub fn write_untyped_json(value: &Value, out: &mut Vec<u8>) {
    json_text::any(value, out);
}

/// Where a part of the bytes begins in them; 0 for bytes that are none of them.
fn begin(bytes: &[u8], part: &[u8]) -> usize {
    let start = part.as_ptr().addr().checked_sub(bytes.as_ptr().addr());
    start.filter(|start| *start <= bytes.len()).unwrap_or(0)
}
