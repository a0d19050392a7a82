//! One object, and the encodings it is read from and written to.

use bytes::Bytes;
use kubewire_client::Gvk;
use kubewire_client::wire::envelope::{self, MAGIC};
use kubewire_client::wire::schema::{self, KINDS, MessageSchema};
use kubewire_client::wire::transcode::{self, FieldProblem, JsonDocument};
use kubewire_client::wire::{EncodedObject, Encoding, Envelope, Reader, WireError};
use kubewire_server_stub::generic::yaml;
use serde_json::Value;

use crate::error::{Broken, Error};
use crate::json;
use crate::types::{ObjectType, message_of};

/// The only kind that is sent without `apiVersion` and `kind`, both in its envelope and in JSON.
const WATCH_EVENT: (&str, &str) = ("v1", "WatchEvent");

/// An object or a message.
pub(crate) struct Object {
    form: Form,
    value: Value,
    /// Members of the input that the type does not have.
    pub(crate) problems: Vec<FieldProblem>,
}

/// How an object is written.
#[derive(Clone, Copy)]
enum Form {
    /// In an envelope that says the kind.
    Kind(&'static MessageSchema),
    /// In an envelope that says nothing.
    WatchEvent(&'static MessageSchema),
    /// Without an envelope.
    Message(&'static MessageSchema),
    /// As JSON or YAML only: nothing is known of the type.
    Custom,
}

impl Object {
    /// Reads an object in its `k8s\0` envelope.
    pub(crate) fn from_envelope(bytes: &Bytes, hint: Option<&ObjectType>) -> Result<Self, Error> {
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            // The object's own error says more than that of the envelope which is cut off with it.
            Err(error) => return Err(transcode::decode_object(bytes).err().unwrap_or(error).into()),
        };
        if envelope.object.bytes.is_empty() && !has_object(bytes)? {
            return Err(Error::Broken(Broken {
                offset: Some(bytes.len()),
                path: String::new(),
                reason: "truncated protobuf: the envelope has no object".to_owned(),
            }));
        }
        if envelope.kind.is_empty() && envelope.object.encoding == Encoding::Protobuf {
            let start = envelope
                .object
                .bytes
                .as_ptr()
                .addr()
                .saturating_sub(bytes.as_ptr().addr());
            let read = match hint {
                Some(hint) => Self::from_message(&envelope.object.bytes, hint),
                None => Self::watch_event(&envelope.object.bytes),
            };
            return read.map_err(|error| match error {
                Error::Broken(broken) => Error::Broken(broken.after(start)),
                error => error,
            });
        }
        let value = transcode::decode_object(bytes)?;
        Ok(Self {
            form: form_of(&envelope.api_version, &envelope.kind)?,
            value,
            problems: Vec::new(),
        })
    }

    /// Reads a message that is not in an envelope.
    pub(crate) fn from_message(bytes: &[u8], hint: &ObjectType) -> Result<Self, Error> {
        let (form, message) = match hint {
            ObjectType::Message(message) => (Form::Message(message), *message),
            ObjectType::Kind(api_version, kind) => {
                let message = message_of(api_version, kind)?;
                (Form::Kind(message), message)
            }
        };
        let mut value = transcode::protobuf_to_value(message, bytes)?;
        hint.complete(&mut value);
        Ok(Self {
            form,
            value,
            problems: Vec::new(),
        })
    }

    fn watch_event(bytes: &[u8]) -> Result<Self, Error> {
        let message = message_of(WATCH_EVENT.0, WATCH_EVENT.1)?;
        Ok(Self {
            form: Form::WatchEvent(message),
            value: transcode::protobuf_to_value(message, bytes)?,
            problems: Vec::new(),
        })
    }

    /// Reads an object from JSON that is well-formed, or from YAML.
    pub(crate) fn from_document(document: &JsonDocument<'_>, hint: Option<&ObjectType>) -> Result<Self, Error> {
        let form = match (hint, document.type_meta()) {
            (Some(ObjectType::Message(message)), _) => Form::Message(message),
            (Some(ObjectType::Kind(api_version, kind)), ("", "")) => form_of(api_version, kind)?,
            (None, ("", "")) if document.has_members(&["type", "object"]) => {
                Form::WatchEvent(message_of(WATCH_EVENT.0, WATCH_EVENT.1)?)
            }
            (_, (_, "")) => {
                return Err(Error::NoType {
                    what: document.description(),
                    missing: "apiVersion and kind",
                });
            }
            (_, (api_version, kind)) => form_of(api_version, kind)?,
        };
        let (mut value, problems) = match form.message() {
            Some(message) => document.typed(message)?,
            None => document.untyped(),
        };
        if let Some(hint) = hint {
            hint.complete(&mut value);
        }
        Ok(Self { form, value, problems })
    }

    /// The object as indented JSON, its members in the order of its type.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut text = Vec::new();
        match self.form.message() {
            Some(message) => transcode::write_json(message, &self.value, &mut text),
            None => transcode::write_untyped_json(&self.value, &mut text),
        }
        json::indented(&text)
    }

    /// The object as YAML, as kubectl prints it.
    pub(crate) fn to_yaml(&self) -> String {
        yaml::to_string(&self.value)
    }

    /// The object in its envelope, or the message alone.
    pub(crate) fn to_protobuf(&self) -> Result<Bytes, Error> {
        Ok(match self.form {
            Form::Kind(_) | Form::Custom => transcode::encode_object(&self.value)?,
            Form::Message(message) => transcode::value_to_protobuf(message, &self.value)?,
            Form::WatchEvent(message) => {
                let object = EncodedObject {
                    encoding: Encoding::Protobuf,
                    bytes: transcode::value_to_protobuf(message, &self.value)?,
                };
                envelope::encode("", "", &object)
            }
        })
    }
}

impl Form {
    fn message(self) -> Option<&'static MessageSchema> {
        match self {
            Self::Kind(message) | Self::WatchEvent(message) | Self::Message(message) => Some(message),
            Self::Custom => None,
        }
    }
}

/// A built-in kind, or a custom resource where the group is nobody's.
fn form_of(api_version: &str, kind: &str) -> Result<Form, WireError> {
    let gvk = Gvk::from_api_version(api_version, kind);
    match schema::kind(&gvk) {
        Some(schema) => Ok(Form::Kind(schema.message)),
        None if KINDS.iter().any(|known| known.group == gvk.group) => Err(WireError::UnknownKind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        }),
        None => Ok(Form::Custom),
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
