//! The `Status` behind a refusal.

use bytes::Bytes;
use http::HeaderMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusDetails};

use super::response::{encoding, read_envelope};
use crate::wire::{self, EncodedObject, WireError};

/// The `Status` of a refusal; where the body is none, one is made of the code and the text.
pub(super) fn read_status(code: http::StatusCode, headers: &HeaderMap, body: Bytes) -> Status {
    let status = read_envelope(encoding(headers), body.clone())
        .ok()
        .filter(|envelope| envelope.kind == "Status");
    let status = status.and_then(|envelope| decode_status(&envelope.object).ok());
    if let Some(status) = status.filter(|status| status.code.is_some_and(|code| code >= 400)) {
        return status;
    }
    let text = String::from_utf8_lossy(&body);
    let text: String = text.trim().chars().take(2048).collect();
    Status {
        code: Some(i32::from(code.as_u16())),
        reason: reason(code.as_u16()).map(str::to_owned),
        message: Some(if text.is_empty() {
            format!("the server answered {code}")
        } else {
            text
        }),
        status: Some("Failure".to_owned()),
        details: Some(StatusDetails::default()),
        ..Default::default()
    }
}

/// Reads a `Status` in either encoding.
pub(crate) fn decode_status(object: &EncodedObject) -> Result<Status, WireError> {
    wire::decode(object)
}

/// The reason that the API gives with a code.
fn reason(code: u16) -> Option<&'static str> {
    Some(match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        406 => "NotAcceptable",
        409 => "Conflict",
        410 => "Gone",
        413 => "RequestEntityTooLarge",
        415 => "UnsupportedMediaType",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => return None,
    })
}
