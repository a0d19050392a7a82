//! `/openapi/v3`: the index, and one document for each group and version. Each is made when it is first asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use serde_json::{Map, Value, json};

use super::document;
use super::endpoint::{fingerprint, refusal, with_etag};
use super::source::DocumentSource;
use crate::endpoints::Query;
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, RequestInfo, Response, empty};
use crate::generic::respond;
use crate::registry::facts;

/// The built-in documents by path (`apis/apps/v1`), and where others come from.
pub(super) struct V3 {
    built_in: BTreeMap<String, Document>,
    sources: Vec<Arc<dyn DocumentSource>>,
}

struct Document {
    group: &'static str,
    version: &'static str,
    hash: String,
    body: OnceLock<Bytes>,
}

impl V3 {
    pub(super) fn new(sources: Vec<Arc<dyn DocumentSource>>) -> Self {
        let mut built_in = BTreeMap::new();
        for group in facts::groups() {
            for version in group.versions.iter().filter(|version| version.served) {
                let path = document::root(group.group, version.version);
                let document = Document {
                    group: group.group,
                    version: version.version,
                    hash: fingerprint(&path),
                    body: OnceLock::new(),
                };
                built_in.insert(path.trim_start_matches('/').to_owned(), document);
            }
        }
        Self { built_in, sources }
    }

    /// Fingerprints by path. What a source describes is described by it alone.
    fn documents(&self) -> BTreeMap<String, String> {
        let built_in = self
            .built_in
            .iter()
            .map(|(path, document)| (path.clone(), document.hash.clone()));
        let others = self.sources.iter().flat_map(|source| source.documents());
        built_in.chain(others.map(|info| (info.path, info.hash))).collect()
    }

    fn index(&self) -> Response {
        let paths: Map<String, Value> = self
            .documents()
            .into_iter()
            .map(|(path, hash)| {
                let url = format!("/openapi/v3/{path}?hash={hash}");
                (path, json!({"serverRelativeURL": url}))
            })
            .collect();
        let body = json!({"paths": paths}).to_string();
        respond::bytes(StatusCode::OK, "text/plain; charset=utf-8", body.into())
    }

    /// The fingerprint of a document, and the source that describes the path if it is not built in.
    fn find(&self, path: &str) -> Option<(String, Option<&Arc<dyn DocumentSource>>)> {
        let described = self.sources.iter().rev().find_map(|source| {
            let info = source.documents().into_iter().find(|info| info.path == path)?;
            Some((info.hash, Some(source)))
        });
        described.or_else(|| Some((self.built_in.get(path)?.hash.clone(), None)))
    }

    fn built_in(&self, path: &str) -> Option<Bytes> {
        let document = self.built_in.get(path)?;
        let make = || {
            let made = document::v3(document.group, document.version);
            made.unwrap_or_default().to_string().into()
        };
        Some(document.body.get_or_init(make).clone())
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
        let Some((known, source)) = self.find(path) else {
            return not_found();
        };
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let asked_for = query.text("hash");
        if asked_for.is_some_and(|hash| hash != known) {
            return redirect(path, &known);
        }
        let body = match source {
            Some(source) => source.v3(path).await,
            None => self.built_in(path),
        };
        let Some(body) = body else {
            return not_found();
        };
        let mut response = with_etag(request.headers(), &known, &body);
        if asked_for.is_some() {
            let forever = HeaderValue::from_static("public, immutable");
            response.headers_mut().insert(CACHE_CONTROL, forever);
        }
        response
    }
}

fn not_found() -> Response {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn redirect(path: &str, hash: &str) -> Response {
    let mut response = respond::bytes(StatusCode::MOVED_PERMANENTLY, "application/json", Bytes::new());
    if let Ok(location) = HeaderValue::from_str(&format!("/openapi/v3/{path}?hash={hash}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
