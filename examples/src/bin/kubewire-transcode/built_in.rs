//! Objects of the types that the schema has.

use bytes::Bytes;
use kubewire_client::wire::transcode::{self, JsonDocument, UnknownField};
use kubewire_client::wire::{EncodedObject, Encoding, WireError, envelope};
use serde_json::Value;

use crate::error::{Broken, Error};
use crate::object::{Warnings, Written};
use crate::types::ObjectType;
use crate::{json, place, yaml};

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
    /// What YAML says, in one of the documents of a text.
    Yaml(Value, Bytes, usize),
}

impl BuiltIn {
    /// The object as JSON on one line.
    pub(crate) fn to_json(&self) -> Result<Written, Error> {
        let message = self.object_type.message;
        if let Content::Protobuf(bytes, start) = &self.content {
            let members = transcode::protobuf_to_json(message, bytes).map_err(|error| in_protobuf(error, *start))?;
            return Ok((self.with_type_meta(members), warnings(&self.unknown(bytes, *start)?)));
        }
        let (value, warnings) = self.to_value()?;
        let mut text = Vec::new();
        transcode::write_json(message, &value, &mut text);
        Ok((text, warnings))
    }

    /// The object as an API server would hold it, and what it would leave out.
    pub(crate) fn to_value(&self) -> Result<(Value, Warnings), Error> {
        let message = self.object_type.message;
        let (mut value, warnings) = match &self.content {
            Content::Protobuf(bytes, start) => {
                let value = transcode::protobuf_to_value(message, bytes).map_err(|error| in_protobuf(error, *start))?;
                (value, warnings(&self.unknown(bytes, *start)?))
            }
            Content::Json(text, start) => {
                let read = transcode::json_to_value(message, text);
                let (value, problems) = read.map_err(|error| in_json(error, text, *start))?;
                (value, warnings(&problems))
            }
            Content::Yaml(value, input, document) => {
                let read = JsonDocument::from_value(value).and_then(|read| read.typed(message));
                let (value, problems) = read.map_err(|error| yaml::in_document(error.into(), input, *document))?;
                (value, warnings(&problems))
            }
        };
        if let (Some((api_version, kind)), Value::Object(members)) = (self.object_type.type_meta(), &mut value) {
            members.insert("apiVersion".to_owned(), api_version.into());
            members.insert("kind".to_owned(), kind.into());
        }
        Ok((value, warnings))
    }

    /// The object in its envelope, or the message alone.
    pub(crate) fn to_protobuf(&self, keep_unknown: bool) -> Result<Written, Error> {
        let message = self.object_type.message;
        let (bytes, warnings) = match &self.content {
            // Raw JSON inside the object keeps its spelling, but not the white space of the document around it.
            Content::Json(text, start) => {
                let (bytes, problems) = transcode::json_to_protobuf(message, &json::compacted(text))
                    .or_else(|_| transcode::json_to_protobuf(message, text))
                    .map_err(|error| in_json(error, text, *start))?;
                (bytes, warnings(&problems))
            }
            Content::Protobuf(bytes, start) if keep_unknown => {
                let (value, _) = self.to_value()?;
                let known = transcode::value_to_protobuf(message, &value)?;
                let unknown = self.unknown(bytes, *start)?;
                (transcode::keep_unknown_fields(&known, &unknown)?, Vec::new())
            }
            _ => {
                let (value, warnings) = self.to_value()?;
                (transcode::value_to_protobuf(message, &value)?, warnings)
            }
        };
        let bytes = match &self.object_type.envelope {
            Some((api_version, kind)) => {
                let encoding = Encoding::Protobuf;
                envelope::encode(api_version, kind, &EncodedObject { encoding, bytes })
            }
            None => bytes,
        };
        Ok((bytes.into(), warnings))
    }

    /// The fields on the wire that the type does not have.
    fn unknown(&self, bytes: &[u8], start: usize) -> Result<Vec<UnknownField>, Error> {
        transcode::unknown_fields(self.object_type.message, bytes).map_err(|error| in_protobuf(error, start))
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

/// At most as many as field validation has of JSON.
pub(crate) fn warnings(problems: &[impl ToString]) -> Warnings {
    const MOST: usize = 100;
    problems.iter().take(MOST).map(ToString::to_string).collect()
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
