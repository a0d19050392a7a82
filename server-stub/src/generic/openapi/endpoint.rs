//! Serves the documents. Each is made when it is first asked for.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION, VARY};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::document;
use crate::endpoints::Query;
use crate::generic::delegation::{Handler, text};
use crate::generic::mux::PathRecorderMux;
use crate::generic::request::{Request, RequestInfo, Response, empty};
use crate::generic::{respond, version};
use crate::registry::facts;

/// Serves `/openapi/v2` and `/openapi/v3`.
pub(crate) fn install(mux: &mut PathRecorderMux) {
    let v3 = Arc::new(V3::new());
    mux.handle("/openapi/v2", Arc::new(V2(OnceLock::new())));
    mux.handle("/openapi/v3", v3.clone());
    mux.handle("/openapi/v3/", v3.clone());
    mux.handle_prefix("/openapi/v3/", v3);
}

struct V2(OnceLock<Bytes>);

#[async_trait]
impl Handler for V2 {
    async fn handle(&self, request: Request) -> Response {
        if let Some(refusal) = refusal(&request) {
            return refusal;
        }
        let body = self.0.get_or_init(|| document::v2().to_string().into());
        with_etag(request.headers(), &fingerprint("/openapi/v2"), body)
    }
}

/// One document by path: `apis/apps/v1`.
struct V3(BTreeMap<String, Document>);

struct Document {
    group: &'static str,
    version: &'static str,
    hash: String,
    body: OnceLock<Bytes>,
}

impl V3 {
    fn new() -> Self {
        let mut documents = BTreeMap::new();
        for group in facts::groups() {
            for version in group.versions.iter().filter(|version| version.served) {
                let path = document::root(group.group, version.version);
                let document = Document {
                    group: group.group,
                    version: version.version,
                    hash: fingerprint(&path),
                    body: OnceLock::new(),
                };
                documents.insert(path.trim_start_matches('/').to_owned(), document);
            }
        }
        Self(documents)
    }

    fn index(&self) -> Response {
        let paths: Map<String, Value> = self
            .0
            .iter()
            .map(|(path, document)| {
                let url = format!("/openapi/v3/{path}?hash={}", document.hash);
                (path.clone(), json!({"serverRelativeURL": url}))
            })
            .collect();
        let body = json!({"paths": paths}).to_string();
        respond::bytes(StatusCode::OK, "text/plain; charset=utf-8", body.into())
    }
}

#[async_trait]
impl Handler for V3 {
    async fn handle(&self, request: Request) -> Response {
        if let Some(refusal) = refusal(&request) {
            return refusal;
        }
        let info = RequestInfo::of(&request);
        let path = info.path.trim_start_matches("/openapi/v3").trim_matches('/');
        if path.is_empty() {
            return self.index();
        }
        let Some(document) = self.0.get(path) else {
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        };
        let query = Query::parse(request.uri().query().unwrap_or_default());
        match query.text("hash") {
            Some(hash) if hash != document.hash => redirect(path, &document.hash),
            hash => {
                let make = || {
                    document::v3(document.group, document.version)
                        .unwrap_or_default()
                        .to_string()
                        .into()
                };
                let mut response = with_etag(request.headers(), &document.hash, document.body.get_or_init(make));
                if hash.is_some() {
                    let forever = HeaderValue::from_static("public, immutable");
                    response.headers_mut().insert(CACHE_CONTROL, forever);
                }
                response
            }
        }
    }
}

/// The documents can be read, and read as JSON.
fn refusal(request: &Request) -> Option<Response> {
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

fn with_etag(headers: &HeaderMap, hash: &str, body: &Bytes) -> Response {
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

fn redirect(path: &str, hash: &str) -> Response {
    let mut response = respond::bytes(StatusCode::MOVED_PERMANENTLY, "application/json", Bytes::new());
    if let Ok(location) = HeaderValue::from_str(&format!("/openapi/v3/{path}?hash={hash}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The built-in documents change with this program only.
fn fingerprint(path: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (path, version::GIT_VERSION, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    format!("{:016X}", hasher.finish())
}
