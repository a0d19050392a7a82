//! Writes a Kubernetes object or a `Status` in the representation that the client accepts.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::StatusCode;
use kubewire_client::wire::{EncodedObject, Encoding, Message, envelope};
use serde::Serialize;

use super::request::{Request, Response, full};
use crate::endpoints::{ALL_FORMATS, Accepted, Format, Offer};
use crate::status::ApiError;

/// What every path outside of the resources can write.
pub(crate) const OFFER: Offer<'static> = Offer {
    formats: ALL_FORMATS,
    views: false,
    streams: false,
};

/// How the errors of a request are written. Taken before a handler consumes the request.
pub(crate) fn error_format(request: &Request) -> Accepted {
    OFFER.for_error(request.headers(), request.uri().query())
}

/// Writes an error as a `Status`.
pub(crate) fn error(error: &ApiError, accepted: Accepted) -> Response {
    let status = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = object(status, "v1", "Status", error.status(), accepted);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Writes an object that has both encodings; the type itself must write `kind` and `apiVersion` into JSON.
pub(crate) fn object<T: Serialize + Message>(
    status: StatusCode,
    api_version: &str,
    kind: &str,
    object: &T,
    accepted: Accepted,
) -> Response {
    let body = match accepted.format {
        Format::Json => json(object, accepted.pretty),
        Format::Yaml => serde_saphyr::to_string(object).map(Bytes::from).map_err(|e| e.to_string()),
        Format::Protobuf => {
            let object = EncodedObject {
                encoding: Encoding::Protobuf,
                bytes: object.to_protobuf(),
            };
            Ok(envelope::encode(api_version, kind, &object))
        }
    };
    match body {
        Ok(body) => bytes(status, accepted.format.media_type(), body),
        Err(error) => bytes(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            format!("encoding {kind}: {error}\n").into(),
        ),
    }
}

/// JSON as kube-apiserver writes it: one line and a line feed, or indented.
pub(crate) fn json(value: &impl Serialize, pretty: bool) -> Result<Bytes, String> {
    let text = if pretty {
        serde_json::to_vec_pretty(value)
    } else {
        serde_json::to_vec(value)
    };
    let mut text = text.map_err(|error| error.to_string())?;
    if !pretty {
        text.push(b'\n');
    }
    Ok(text.into())
}

/// An answer from bytes and their media type.
pub(crate) fn bytes(status: StatusCode, media_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
