//! `/openapi/v3`: the index, and one document for each group and version. Each is made when it is first asked for, and
//! kept for as long as its fingerprint stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::document::Subject;
use super::endpoint::{JSON, MediaTypes, Sent, fingerprint, with_status};
use super::protobuf;
use super::source::DocumentSource;
use crate::endpoints::Query;
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, RequestInfo, Response};
use crate::generic::respond;

const MEDIA_TYPES: MediaTypes = MediaTypes {
    protobuf: "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
    accepted: [
        JSON,
        "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
    ],
};

/// The built-in documents by path (`apis/apps/v1`), and where others come from.
pub(super) struct V3 {
    built_in: BTreeMap<String, (Subject, String)>,
    sources: Vec<Arc<dyn DocumentSource>>,
    made: Mutex<BTreeMap<String, Arc<Sent>>>,
}

impl V3 {
    pub(super) fn new(sources: Vec<Arc<dyn DocumentSource>>) -> Self {
        let built_in = Subject::all().map(|subject| {
            let path = subject.path();
            let hash = fingerprint(&path);
            (path, (subject, hash))
        });
        Self {
            built_in: built_in.collect(),
            sources,
            made: Mutex::default(),
        }
    }

    /// Fingerprints by path. What a source describes is described by it alone.
    fn documents(&self) -> BTreeMap<String, String> {
        let built_in = self
            .built_in
            .iter()
            .map(|(path, (_, hash))| (path.clone(), hash.clone()));
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
        described.or_else(|| Some((self.built_in.get(path)?.1.clone(), None)))
    }

    /// The document with a fingerprint, as it was sent before or made now.
    async fn document(&self, path: &str, hash: &str, source: Option<&Arc<dyn DocumentSource>>) -> Option<Arc<Sent>> {
        let known = self.made.lock().get(path).filter(|made| made.hash() == hash).cloned();
        if known.is_some() {
            return known;
        }
        let json: Bytes = match source {
            Some(source) => source.v3(path).await?,
            None => self.built_in.get(path)?.0.v3().to_string().into(),
        };
        let made = Arc::new(Sent::new(hash.to_owned(), json));
        // What nobody describes any more goes with the next document that somebody asks for.
        let current = self.documents();
        let mut kept = self.made.lock();
        kept.insert(path.to_owned(), made.clone());
        kept.retain(|path, _| current.contains_key(path));
        Some(made)
    }
}

#[async_trait]
impl Handler for V3 {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        let path = info.path.strip_prefix("/openapi/v3").unwrap_or_default();
        let Some(path) = path.strip_prefix('/') else {
            return self.index();
        };
        let Some((hash, source)) = self.find(path) else {
            return not_found();
        };
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let asked_for = query.text("hash").filter(|hash| !hash.is_empty());
        if asked_for.is_some_and(|asked_for| asked_for != hash) {
            return redirect(path, &hash);
        }
        let Some(document) = self.document(path, &hash, source).await else {
            return not_found();
        };
        let mut response = document.answer(request.headers(), &MEDIA_TYPES, protobuf::v3);
        if asked_for.is_some() && response.status() != StatusCode::NOT_ACCEPTABLE {
            let forever = HeaderValue::from_static("public, immutable");
            response.headers_mut().insert(CACHE_CONTROL, forever);
        }
        response
    }
}

fn not_found() -> Response {
    let mut response = with_status(StatusCode::NOT_FOUND);
    response.headers_mut().clear();
    response
}

fn redirect(path: &str, hash: &str) -> Response {
    let mut response = with_status(StatusCode::MOVED_PERMANENTLY);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    for (name, value) in [
        (ETAG, format!("\"{hash}\"")),
        (LOCATION, format!("/openapi/v3/{path}?hash={hash}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::openapi::DocumentInfo;
    use crate::generic::request::empty;
    use http::header::{ACCEPT, IF_NONE_MATCH};
    use http_body_util::BodyExt;

    /// Describes one group; `0` is its fingerprint, `1` counts how often its document was made.
    #[derive(Default)]
    struct Fruits(Mutex<(String, usize)>);

    #[async_trait]
    impl DocumentSource for Fruits {
        fn documents(&self) -> Vec<DocumentInfo> {
            let (path, hash) = ("apis/fruits.example.com/v1".to_owned(), self.0.lock().0.clone());
            vec![DocumentInfo { path, hash }]
        }

        async fn v3(&self, _path: &str) -> Option<Bytes> {
            let mut state = self.0.lock();
            state.1 += 1;
            Some(
                json!({"openapi": "3.0.0", "info": {"version": state.0}})
                    .to_string()
                    .into(),
            )
        }

        async fn v2(&self, _path: &str) -> Option<Value> {
            None
        }
    }

    async fn get(v3: &V3, url: &str, headers: &[(http::HeaderName, &str)]) -> (Response, Bytes) {
        let mut request = http::Request::builder().uri(url);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let (head, body) = v3.handle(request.body(empty()).unwrap()).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(head, empty()), body)
    }

    #[tokio::test]
    async fn a_document_is_made_once_for_each_fingerprint() {
        let fruits = Arc::new(Fruits::default());
        fruits.0.lock().0 = "AA".to_owned();
        let v3 = V3::new(vec![fruits.clone()]);
        let url = "/openapi/v3/apis/fruits.example.com/v1";
        let (first, body) = get(&v3, url, &[]).await;
        assert_eq!(
            (&first.headers()[ETAG], fruits.0.lock().1),
            (&HeaderValue::from_static("\"AA\""), 1)
        );
        let (_, again) = get(&v3, url, &[]).await;
        assert_eq!((body.as_ptr(), fruits.0.lock().1), (again.as_ptr(), 1));
        let (same, nothing) = get(&v3, url, &[(IF_NONE_MATCH, "\"AA\"")]).await;
        assert_eq!((same.status(), nothing.len()), (StatusCode::NOT_MODIFIED, 0));
        fruits.0.lock().0 = "BB".to_owned();
        let (_, changed) = get(&v3, url, &[]).await;
        assert_eq!(
            (fruits.0.lock().1, changed),
            (2, Bytes::from(r#"{"info":{"version":"BB"},"openapi":"3.0.0"}"#))
        );
    }

    #[tokio::test]
    async fn urls_of_the_index_can_be_cached_for_ever() {
        let v3 = V3::new(Vec::new());
        let (_, index) = get(&v3, "/openapi/v3", &[]).await;
        let index: Value = serde_json::from_slice(&index).unwrap();
        let url = index["paths"]["apis/batch"]["serverRelativeURL"].as_str().unwrap();
        let (cached, _) = get(&v3, url, &[]).await;
        assert_eq!(cached.headers()[CACHE_CONTROL], "public, immutable");
        let (plain, _) = get(&v3, "/openapi/v3/apis/batch", &[]).await;
        assert!(!plain.headers().contains_key(CACHE_CONTROL));
        let (stale, _) = get(&v3, "/openapi/v3/apis/batch?hash=00", &[]).await;
        assert_eq!(
            (stale.status(), &stale.headers()[LOCATION]),
            (StatusCode::MOVED_PERMANENTLY, &url.parse().unwrap())
        );
        for unknown in ["/openapi/v3/apis/nosuch", "/openapi/v3/"] {
            let (unknown, _) = get(&v3, unknown, &[]).await;
            assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
        }
    }

    #[tokio::test]
    async fn clients_choose_protobuf() {
        let v3 = V3::new(Vec::new());
        let wish = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";
        let (answer, body) = get(&v3, "/openapi/v3/version", &[(ACCEPT, wish)]).await;
        assert_eq!(answer.headers()[CONTENT_TYPE], MEDIA_TYPES.protobuf);
        assert_eq!(body.get(..7), Some(&b"\n\x053.0.0"[..]));
        let (any, _) = get(&v3, "/openapi/v3/version", &[(ACCEPT, "*/*")]).await;
        assert_eq!(any.headers()[CONTENT_TYPE], JSON);
        let (none, _) = get(&v3, "/openapi/v3/version", &[(ACCEPT, "text/plain")]).await;
        assert_eq!(none.status(), StatusCode::NOT_ACCEPTABLE);
    }
}
