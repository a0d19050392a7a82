//! The body of a request: read within its limit, and told apart by its media type.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;

use crate::generic::request::RequestBody;
use crate::status::ApiError;

use super::negotiation::Format;

/// The longest body of a write, as in kube-apiserver.
pub(crate) const MAX_BODY: usize = 3 * 1024 * 1024;
/// How much of a body that is too long is read and thrown away, so that the client gets to see the answer.
const MAX_DRAINED: usize = 32 * 1024 * 1024;

/// Reads the whole body.
pub(crate) async fn read(headers: &HeaderMap, mut body: RequestBody) -> Result<Bytes, ApiError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or_default().min(MAX_BODY));
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::bad_request(format!("unable to read the body: {error}")))?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if length <= MAX_BODY {
            bytes.extend_from_slice(data);
        } else if length > MAX_DRAINED {
            break;
        }
    }
    if length > MAX_BODY {
        return Err(ApiError::request_entity_too_large(MAX_BODY));
    }
    Ok(bytes.freeze())
}

/// The format that `Content-Type` names; JSON where it says nothing.
pub(crate) fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    let accepted = super::negotiation::ALL_FORMATS;
    let content_type = media_type(headers);
    accepted
        .iter()
        .find(|format| content_type.is_empty() || format.media_type() == content_type)
        .copied()
        .ok_or_else(|| {
            let names: Vec<_> = accepted.iter().map(|format| format.media_type()).collect();
            ApiError::unsupported_media_type(&names)
        })
}

/// The media type without its parameters, in small letters; empty where there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let value = value.unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::request::full;

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let read = |length: usize| async move { read(&HeaderMap::new(), full(vec![b' '; length])).await };
        assert_eq!(read(MAX_BODY).await.unwrap().len(), MAX_BODY);
        let error = read(5 * 1024 * 1024).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (413, "RequestEntityTooLarge"));
        assert_eq!(error.message(), "Request entity too large: limit is 3145728");
    }

    #[test]
    fn media_types() {
        let format = |value: &str| {
            let headers = [(CONTENT_TYPE, value.parse().unwrap())].into_iter().collect();
            format(&headers).map_err(|error| error.code())
        };
        assert_eq!(format(""), Ok(Format::Json));
        assert_eq!(format("application/json; charset=utf-8"), Ok(Format::Json));
        assert_eq!(format("application/vnd.kubernetes.protobuf"), Ok(Format::Protobuf));
        for other in [
            "text/plain",
            "application/cbor",
            "///",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(format(other), Err(415), "{other}");
        }
    }
}
