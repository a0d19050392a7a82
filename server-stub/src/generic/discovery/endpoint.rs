//! Negotiates and writes the aggregated document, with an `ETag` so that clients need not read it twice.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};

use super::{GroupDiscovery, aggregated};
use crate::endpoints::{Format, accepts_aggregated_discovery};
use crate::generic::request::{Request, Response, empty, full};
use crate::generic::respond;

/// The format of the aggregated document if the client asks for it rather than for the legacy one.
pub(crate) fn wants_aggregated(request: &Request) -> Option<Format> {
    (request.method() == http::Method::GET)
        .then(|| accepts_aggregated_discovery(request.headers()))
        .flatten()
}

/// Answers with the aggregated document, or 304 if the client has it already.
pub(crate) fn serve_aggregated(groups: &[GroupDiscovery], format: Format, request: &Request) -> Response {
    let document = match aggregated(groups) {
        Ok(document) => document,
        Err(error) => return respond::error(&error, respond::error_format(request)),
    };
    let etag = etag(document.to_string().as_bytes());
    let mut response = if request
        .headers()
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known == etag.as_str())
    {
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        match respond::encode(&document, format, false) {
            Ok(body) => {
                let mut response = Response::new(full(body));
                let media_type = match format {
                    Format::Json => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                    Format::Yaml => "application/yaml;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                    Format::Protobuf => {
                        "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                    }
                };
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
                response
            }
            Err(error) => return respond::error(&error, respond::error_format(request)),
        }
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// A quoted fingerprint: equal for equal content within one release of this program.
fn etag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016X}\"", hasher.finish())
}
