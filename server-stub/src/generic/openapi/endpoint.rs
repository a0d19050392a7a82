//! Where the documents are served, and what both versions have in common.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::StatusCode;
use http::header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, VARY};

use super::source::DocumentSource;
use super::v2::V2;
use super::v3::V3;
use crate::endpoints::preferred;
use crate::generic::mux::PathRecorderMux;
use crate::generic::request::{Response, empty};
use crate::generic::{respond, version};

/// Serves `/openapi/v2` and `/openapi/v3`; the groups that are not built in are described by `sources`.
pub(crate) fn install(mux: &mut PathRecorderMux, sources: Vec<Arc<dyn DocumentSource>>) {
    let v3 = Arc::new(V3::new(sources.clone()));
    mux.handle("/openapi/v2", Arc::new(V2::new(sources)));
    mux.handle("/openapi/v3", v3.clone());
    mux.handle("/openapi/v3/", v3.clone());
    mux.handle_prefix("/openapi/v3/", v3);
}

/// What a version of OpenAPI is called in protobuf: in answers, then in `Accept` by preference.
pub(super) struct MediaTypes {
    pub(super) protobuf: &'static str,
    pub(super) accepted: [&'static str; 3],
}

/// A document as it is sent, in the forms that somebody asked for.
#[derive(Debug)]
pub(super) struct Sent {
    hash: String,
    json: Bytes,
    protobuf: OnceLock<Bytes>,
}

impl Sent {
    pub(super) fn new(hash: String, json: Bytes) -> Self {
        Self {
            hash,
            json,
            protobuf: OnceLock::new(),
        }
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// The answer in the form that the client likes best. `encode` makes protobuf.
    pub(super) fn answer(
        &self,
        headers: &HeaderMap,
        media_types: &MediaTypes,
        encode: fn(&serde_json::Value) -> Bytes,
    ) -> Response {
        let Some(media_type) = preferred(headers, &media_types.accepted) else {
            return with_status(StatusCode::NOT_ACCEPTABLE);
        };
        let etag = format!("\"{}\"", self.hash);
        let mut response = if headers.get(IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
            with_status(StatusCode::NOT_MODIFIED)
        } else if media_type == JSON {
            respond::bytes(StatusCode::OK, JSON, self.json.clone())
        } else {
            let body = self.protobuf.get_or_init(|| {
                let document = serde_json::from_slice(&self.json).unwrap_or_default();
                encode(&document)
            });
            respond::bytes(StatusCode::OK, media_types.protobuf, body.clone())
        };
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(ETAG, etag);
        }
        response
    }
}

pub(super) const JSON: &str = "application/json";

/// An answer without a body.
pub(super) fn with_status(status: StatusCode) -> Response {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// A fingerprint of what a document is made of. What is built in changes with this program only.
pub(super) fn fingerprint(parts: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    (parts, version::GIT_VERSION, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    format!("{:016X}", hasher.finish())
}
