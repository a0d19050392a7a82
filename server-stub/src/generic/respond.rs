//! Writes a Kubernetes object or a `Status` in the representation that the client accepts.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use kubewire_client::Gvk;
use kubewire_client::wire::{EncodedObject, Encoding, Message, envelope, schema, transcode};
use serde_json::Value;

use super::request::{Request, Response, full};
use super::yaml;
use crate::endpoints::{ALL_FORMATS, Accepted, Format, Offer};
use crate::status::{ApiError, UNKNOWN_PATH};

/// What every path outside of the resources can write.
pub(crate) const OFFER: Offer<'static> = Offer {
    formats: ALL_FORMATS,
    protobuf_objects: true,
    views: false,
    streams: false,
};

/// How the errors of a request are written. Taken before a handler consumes the request.
pub(crate) fn error_format(request: &Request) -> Accepted {
    OFFER.for_error(request.headers(), request.uri().query())
}

/// The error that an answer tells, in its extensions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) reason: String,
}

impl Refusal {
    /// Whether there is nothing at the path at all, rather than no such object.
    pub(crate) fn is_unknown_path(&self) -> bool {
        self.message == UNKNOWN_PATH
    }
}

/// Writes an error as a `Status`.
pub(crate) fn error(error: &ApiError, accepted: Accepted) -> Response {
    let status = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = match accepted.format {
        Format::Protobuf => {
            let object = EncodedObject {
                encoding: Encoding::Protobuf,
                bytes: error.status().to_protobuf(),
            };
            Ok(envelope::encode("v1", "Status", &object))
        }
        format => serde_json::to_value(error.status())
            .map_err(ApiError::internal)
            .and_then(|document| encode(&document, format, accepted.pretty)),
    };
    let mut response = bytes(status, accepted.format.media_type(), body.unwrap_or_default());
    response.extensions_mut().insert(Refusal {
        message: error.message().to_owned(),
        reason: error.reason().to_owned(),
    });
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Answers a GET with a document; other methods get a 405.
pub(crate) fn document(request: &Request, document: Value) -> Response {
    let error_format = error_format(request);
    if request.method() != Method::GET {
        return error(&ApiError::method_not_allowed(), error_format);
    }
    let encoded = OFFER
        .negotiate(request.headers(), request.uri().query())
        .and_then(|accepted| Ok((accepted.format, encode(&document, accepted.format, accepted.pretty)?)));
    match encoded {
        Ok((format, body)) => bytes(StatusCode::OK, format.media_type(), body),
        Err(e) => error(&e, error_format),
    }
}

/// Writes a document that names its kind. JSON is one line and a line feed, or indented.
pub(crate) fn encode(document: &Value, format: Format, pretty: bool) -> Result<Bytes, ApiError> {
    match format {
        Format::Json if pretty => serde_json::to_vec_pretty(document).map_err(ApiError::internal),
        Format::Json => serde_json::to_vec(document)
            .map_err(ApiError::internal)
            .map(|mut text| {
                text.push(b'\n');
                text
            }),
        Format::Yaml => Ok(yaml::to_string(document).into_bytes()),
        Format::Protobuf => protobuf(document).map(Vec::from),
    }
    .map(Bytes::from)
}

/// A document of a kind with a schema, in the envelope that names it as the document does.
fn protobuf(document: &Value) -> Result<Bytes, ApiError> {
    let text = |name: &str| document[name].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let schema = schema::kind(&Gvk::from_api_version(api_version, kind))
        .ok_or_else(|| ApiError::internal(format!("{kind} in {api_version} has no protobuf form")))?;
    let object = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: transcode::value_to_protobuf(schema.message, document)?,
    };
    Ok(envelope::encode(api_version, kind, &object))
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
