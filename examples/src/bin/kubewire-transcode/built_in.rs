//! Objects of the types that the schema has.

use bytes::Bytes;
use kubewire_client::wire::transcode::{self, FieldProblem, JsonDocument};
use kubewire_client::wire::{EncodedObject, Encoding, WireError, envelope};
use serde_json::Value;

use crate::error::{Broken, Error};
use crate::object::Written;
use crate::types::ObjectType;
use crate::{json, place};

/// An object and its type.
pub(crate) struct BuiltIn {
    pub(crate) object_type: ObjectType,
    pub(crate) content: Content,
}

/// What the input holds of an object. Numbers are where it begins in there.
pub(crate) enum Content {
    /// The message.
    Protobuf(Bytes, usize),
    /// JSON text.
    Json(Bytes, usize),
    /// What YAML says.
    Value(Value),
}

impl BuiltIn {
    /// The object as JSON on one line.
    pub(crate) fn to_json(&self) -> Result<Written, Error> {
        let message = self.object_type.message;
        if let Content::Protobuf(bytes, start) = &self.content {
            let members = transcode::protobuf_to_json(message, bytes).map_err(|error| in_protobuf(error, *start))?;
            return Ok((self.with_type_meta(members), Vec::new()));
        }
        let (value, problems) = self.to_value()?;
        let mut text = Vec::new();
        transcode::write_json(message, &value, &mut text);
        Ok((text, problems))
    }

    /// The object as an API server would hold it, and what it would leave out.
    pub(crate) fn to_value(&self) -> Result<(Value, Vec<FieldProblem>), Error> {
        let message = self.object_type.message;
        let (mut value, problems) = match &self.content {
            Content::Protobuf(bytes, start) => {
                let value = transcode::protobuf_to_value(message, bytes);
                (value.map_err(|error| in_protobuf(error, *start))?, Vec::new())
            }
            Content::Json(text, start) => {
                transcode::json_to_value(message, text).map_err(|error| in_json(error, text, *start))?
            }
            Content::Value(value) => JsonDocument::from_value(value)?.typed(message)?,
        };
        if let (Some((api_version, kind)), Value::Object(members)) = (self.object_type.type_meta(), &mut value) {
            members.insert("apiVersion".to_owned(), api_version.into());
            members.insert("kind".to_owned(), kind.into());
        }
        Ok((value, problems))
    }

    /// The object in its envelope, or the message alone.
    pub(crate) fn to_protobuf(&self) -> Result<Written, Error> {
        let message = self.object_type.message;
        let (bytes, problems) = match &self.content {
            // Raw JSON inside the object keeps its spelling, but not the white space of the document around it.
            Content::Json(text, start) => transcode::json_to_protobuf(message, &json::compacted(text))
                .or_else(|_| transcode::json_to_protobuf(message, text))
                .map_err(|error| in_json(error, text, *start))?,
            _ => {
                let (value, problems) = self.to_value()?;
                (transcode::value_to_protobuf(message, &value)?, problems)
            }
        };
        let bytes = match &self.object_type.envelope {
            Some((api_version, kind)) => {
                let encoding = Encoding::Protobuf;
                envelope::encode(api_version, kind, &EncodedObject { encoding, bytes })
            }
            None => bytes,
        };
        Ok((bytes.into(), problems))
    }

    /// JSON of an object as protobuf has it, and its kind, which is in the envelope there.
    fn with_type_meta(&self, members: Vec<u8>) -> Vec<u8> {
        let Some((api_version, kind)) = self.object_type.type_meta() else {
            return members;
        };
        let mut text = format!("{{\"kind\":{}", Value::from(kind)).into_bytes();
        if !api_version.is_empty() {
            text.extend_from_slice(format!(",\"apiVersion\":{}", Value::from(api_version)).as_bytes());
        }
        match members.split_first() {
            Some((b'{', rest)) => {
                if rest != b"}" {
                    text.push(b',');
                }
                text.extend_from_slice(rest);
                text
            }
            _ => members,
        }
    }
}

/// Counts from the beginning of the input.
fn in_protobuf(error: WireError, start: usize) -> Error {
    Error::Broken(Broken::from(error).after(start))
}

/// The same, and adds to a byte its field, to a field its byte.
pub(crate) fn in_json(error: WireError, text: &[u8], start: usize) -> Error {
    let mut broken = Broken::from(error);
    match broken.offset {
        Some(offset) if broken.path.is_empty() => broken.path = place::path_at(text, offset),
        None if !broken.path.is_empty() => broken.offset = place::offset_of(text, &broken.path),
        _ => {}
    }
    Error::Broken(broken.after(start))
}
