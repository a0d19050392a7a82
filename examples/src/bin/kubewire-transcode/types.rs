//! Which type an object has, where the input does not say it.

use std::str::FromStr;

use kubewire_client::Gvk;
use kubewire_client::wire::WireError;
use kubewire_client::wire::schema::{self, MessageSchema};
use serde_json::Value;

/// The type that the command line names.
#[derive(Clone, Debug)]
pub(crate) enum ObjectType {
    /// A kind: `apiVersion`, `kind`.
    Kind(String, String),
    /// A message that is no object of its own.
    Message(&'static MessageSchema),
}

impl FromStr for ObjectType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('/') {
            Some((api_version, kind)) => match message_of(api_version, kind) {
                Ok(_) => Ok(Self::Kind(api_version.to_owned(), kind.to_owned())),
                Err(error) => Err(error.to_string()),
            },
            None => match schema::message(text) {
                Some(message) => Ok(Self::Message(message)),
                None => Err("expected a kind, such as v1/Pod, or a message, such as core.v1.PodSpec".to_owned()),
            },
        }
    }
}

impl ObjectType {
    /// Adds the kind to an object that does not say it.
    pub(crate) fn complete(&self, object: &mut Value) {
        if let (Self::Kind(api_version, kind), Value::Object(members)) = (self, object)
            && !members.contains_key("kind")
        {
            members.insert("apiVersion".to_owned(), api_version.as_str().into());
            members.insert("kind".to_owned(), kind.as_str().into());
        }
    }
}

/// The message of a built-in kind.
pub(crate) fn message_of(api_version: &str, kind: &str) -> Result<&'static MessageSchema, WireError> {
    match schema::kind(&Gvk::from_api_version(api_version, kind)) {
        Some(schema) => Ok(schema.message),
        None => Err(WireError::UnknownKind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        }),
    }
}
