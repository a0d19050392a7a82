//! What a delete answers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

use crate::rest::decode_status;
use crate::wire::{EncodedObject, Envelope, WireError};

/// The answer to a delete.
#[derive(Clone, Debug, PartialEq)]
pub enum Deleted<T> {
    /// The object as it is now: on its way out where `deletionTimestamp` is set, else its last state.
    Object(T),
    /// It is gone; the details name it.
    Status(Box<Status>),
}

impl<T> Deleted<T> {
    /// The object, where the server sent it.
    pub fn into_object(self) -> Option<T> {
        match self {
            Self::Object(object) => Some(object),
            Self::Status(_) => None,
        }
    }

    pub(crate) fn read(
        answer: Envelope,
        decode: impl FnOnce(&EncodedObject) -> Result<T, WireError>,
    ) -> Result<Self, WireError> {
        if answer.kind == "Status" && answer.api_version == "v1" {
            return Ok(Self::Status(Box::new(decode_status(&answer.object)?)));
        }
        decode(&answer.object).map(Self::Object)
    }
}
