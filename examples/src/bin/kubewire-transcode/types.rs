//! Types of objects.

use std::str::FromStr;

use kubewire_client::Gvk;
use kubewire_client::wire::WireError;
use kubewire_client::wire::schema::{self, MessageSchema};

/// A type that the schema has.
#[derive(Clone, Debug)]
pub(crate) struct ObjectType {
    pub(crate) message: &'static MessageSchema,
    /// `apiVersion` and `kind` of the envelope; `None` where there is no envelope.
    pub(crate) envelope: Option<(String, String)>,
}

impl ObjectType {
    /// A kind.
    pub(crate) fn kind(api_version: &str, kind: &str) -> Result<Self, WireError> {
        match schema::kind(&Gvk::from_api_version(api_version, kind)) {
            Some(schema) => Ok(Self {
                message: schema.message,
                envelope: Some((api_version.to_owned(), kind.to_owned())),
            }),
            None => Err(WireError::UnknownKind {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            }),
        }
    }

    /// The only kind that does not say so, neither in its envelope nor in JSON.
    pub(crate) fn watch_event() -> Result<Self, WireError> {
        Ok(Self {
            envelope: Some((String::new(), String::new())),
            ..Self::kind("v1", "WatchEvent")?
        })
    }

    /// True for a kind, false for a message that is no object of its own.
    pub(crate) fn is_kind(&self) -> bool {
        self.envelope.is_some()
    }

    /// `apiVersion` and `kind` of the object in JSON, where it has them.
    pub(crate) fn type_meta(&self) -> Option<(&str, &str)> {
        let (api_version, kind) = self.envelope.as_ref()?;
        (!kind.is_empty()).then_some((api_version, kind))
    }
}

/// What the command line names: a kind, as `v1/Pod`, or a message, as `core.v1.PodSpec`.
impl FromStr for ObjectType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.rsplit_once('/'), schema::message(text)) {
            (Some((api_version, kind)), _) => Self::kind(api_version, kind).map_err(|error| error.to_string()),
            (None, Some(message)) => Ok(Self {
                message,
                envelope: None,
            }),
            (None, None) => Err("expected a kind, such as v1/Pod, or a message, such as core.v1.PodSpec".to_owned()),
        }
    }
}
