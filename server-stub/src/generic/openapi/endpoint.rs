//! Where the documents are served, and what both forms have in common.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, VARY};
use http::{Method, StatusCode};

use super::source::DocumentSource;
use super::v2::V2;
use super::v3::V3;
use crate::generic::delegation::text;
use crate::generic::mux::PathRecorderMux;
use crate::generic::request::{Request, Response, empty};
use crate::generic::{respond, version};

/// Serves `/openapi/v2` and `/openapi/v3`; the groups that are not built in are described by `sources`.
pub(crate) fn install(mux: &mut PathRecorderMux, sources: Vec<Arc<dyn DocumentSource>>) {
    let v3 = Arc::new(V3::new(sources.clone()));
    mux.handle("/openapi/v2", Arc::new(V2::new(sources)));
    mux.handle("/openapi/v3", v3.clone());
    mux.handle("/openapi/v3/", v3.clone());
    mux.handle_prefix("/openapi/v3/", v3);
}

/// The documents can be read, and read as JSON.
pub(super) fn refusal(request: &Request) -> Option<Response> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Some(text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n"));
    }
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("*/*");
    let takes_json = accept.split(',').any(|range| {
        let name = range.split(';').next().unwrap_or_default().trim();
        matches!(name, "*/*" | "application/*" | "application/json")
    });
    (!takes_json).then(|| text(StatusCode::NOT_ACCEPTABLE, "only application/json is served\n"))
}

pub(super) fn with_etag(headers: &HeaderMap, hash: &str, body: &Bytes) -> Response {
    let etag = format!("\"{hash}\"");
    let mut response = if headers.get(IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        respond::bytes(StatusCode::OK, "application/json", body.clone())
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// A fingerprint of what a document is made of. What is built in changes with this program only.
pub(super) fn fingerprint(parts: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    (parts, version::GIT_VERSION, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    format!("{:016X}", hasher.finish())
}
