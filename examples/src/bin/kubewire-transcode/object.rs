//! One object as it stands in the input, and the encodings it is written to.

use bytes::Bytes;
use kubewire_client::Gvk;
use kubewire_client::wire::envelope::MAGIC;
use kubewire_client::wire::schema::{self, KINDS};
use kubewire_client::wire::transcode::{self, JsonDocument};
use kubewire_client::wire::{Encoding, Envelope, Reader, WireError, indent_json};
use kubewire_server_stub::generic::yaml;
use serde_json::Value;

use crate::built_in::{BuiltIn, Content, warnings};
use crate::error::{Broken, Error};
use crate::types::ObjectType;

/// An object or a message.
pub(crate) enum Object {
    /// Of a type that the schema has.
    BuiltIn(BuiltIn),
    /// Of some other kind, which passes through as it is.
    Custom(Value, Warnings),
}

/// An encoded object, and what is missing in it.
pub(crate) type Written = (Vec<u8>, Warnings);

/// What is left out: fields that the type does not have.
pub(crate) type Warnings = Vec<String>;

impl Object {
    /// An object in its `k8s\0` envelope.
    pub(crate) fn from_envelope(bytes: &Bytes, hint: Option<&ObjectType>) -> Result<Self, Error> {
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            // The object's own error says more than that of the envelope which is cut off with it.
            Err(error) => return Err(transcode::decode_object(bytes).err().unwrap_or(error).into()),
        };
        if envelope.object.bytes.is_empty() && !has_object(bytes)? {
            return Err(Error::Broken(Broken {
                offset: Some(bytes.len()),
                reason: "truncated protobuf: the envelope has no object".to_owned(),
                ..Broken::default()
            }));
        }
        if envelope.object.encoding == Encoding::Json {
            return Ok(Self::Custom(transcode::decode_object(bytes)?, Vec::new()));
        }
        let object_type = match hint {
            Some(hint) if envelope.kind.is_empty() => hint.clone(),
            None if envelope.kind.is_empty() => ObjectType::watch_event()?,
            _ => ObjectType::kind(&envelope.api_version, &envelope.kind)?,
        };
        let start = envelope
            .object
            .bytes
            .as_ptr()
            .addr()
            .saturating_sub(bytes.as_ptr().addr());
        let content = Content::Protobuf(envelope.object.bytes, start);
        Ok(Self::BuiltIn(BuiltIn { object_type, content }))
    }

    /// A message that is not in an envelope.
    pub(crate) fn from_message(bytes: Bytes, hint: &ObjectType) -> Self {
        Self::BuiltIn(BuiltIn {
            object_type: hint.clone(),
            content: Content::Protobuf(bytes, 0),
        })
    }

    /// An object in JSON, whose text begins at `start` of the input.
    pub(crate) fn from_json(
        document: &JsonDocument<'_>,
        text: Bytes,
        start: usize,
        hint: Option<&ObjectType>,
    ) -> Result<Self, Error> {
        Ok(match object_type(document, hint)? {
            Some(object_type) => Self::BuiltIn(BuiltIn {
                object_type,
                content: Content::Json(text, start),
            }),
            None => {
                let (value, problems) = document.untyped();
                Self::Custom(value, warnings(&problems))
            }
        })
    }

    /// An object in YAML, one of the documents of the input.
    pub(crate) fn from_yaml(
        value: Value,
        input: &Bytes,
        document: usize,
        hint: Option<&ObjectType>,
    ) -> Result<Self, Error> {
        Ok(match object_type(&JsonDocument::from_value(&value)?, hint)? {
            Some(object_type) => Self::BuiltIn(BuiltIn {
                object_type,
                content: Content::Yaml(value, input.clone(), document),
            }),
            None => Self::Custom(value, Vec::new()),
        })
    }

    /// The object as indented JSON, its members in the order of its type.
    pub(crate) fn to_json(&self) -> Result<Written, Error> {
        let (text, warnings) = match self {
            Self::BuiltIn(object) => object.to_json()?,
            Self::Custom(value, warnings) => {
                let mut text = Vec::new();
                transcode::write_untyped_json(value, &mut text);
                (text, warnings.clone())
            }
        };
        let mut text = indent_json(&text);
        text.push(b'\n');
        Ok((text, warnings))
    }

    /// The object as YAML, as kubectl prints it.
    pub(crate) fn to_yaml(&self) -> Result<Written, Error> {
        let (text, warnings) = match self {
            Self::BuiltIn(object) => {
                let (value, warnings) = object.to_value()?;
                (yaml::to_string(&value), warnings)
            }
            Self::Custom(value, warnings) => (yaml::to_string(value), warnings.clone()),
        };
        Ok((text.into_bytes(), warnings))
    }

    /// The object in its envelope, or the message alone.
    pub(crate) fn to_protobuf(&self, keep_unknown: bool) -> Result<Written, Error> {
        match self {
            Self::BuiltIn(object) => object.to_protobuf(keep_unknown),
            // Fails: there is no such kind.
            Self::Custom(value, _) => Ok((transcode::encode_object(value)?.into(), Vec::new())),
        }
    }
}

/// True where the envelope has an object, even an empty one.
fn has_object(envelope: &[u8]) -> Result<bool, WireError> {
    /// `runtime.Unknown.raw`.
    const RAW: u32 = 2;
    let mut reader = Reader::new(envelope.get(MAGIC.len()..).unwrap_or_default());
    while let Some(field) = reader.next_field()? {
        if field.number == RAW {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The type of a document, `None` where it is a custom resource: of a group that is nobody's.
fn object_type(document: &JsonDocument<'_>, hint: Option<&ObjectType>) -> Result<Option<ObjectType>, Error> {
    let (api_version, kind) = match (document.type_meta(), hint) {
        (_, Some(hint)) if !hint.is_kind() => return Ok(Some(hint.clone())),
        (("", ""), Some(hint)) => return Ok(Some(hint.clone())),
        (("", ""), None) if document.has_members(&["type", "object"]) => {
            return Ok(Some(ObjectType::watch_event()?));
        }
        ((_, ""), _) => {
            return Err(Error::NoType {
                what: document.description(),
                missing: "apiVersion and kind",
            });
        }
        (type_meta, _) => type_meta,
    };
    let gvk = Gvk::from_api_version(api_version, kind);
    if schema::kind(&gvk).is_none() && !KINDS.iter().any(|known| known.group == gvk.group) {
        return Ok(None);
    }
    Ok(Some(ObjectType::kind(api_version, kind)?))
}
