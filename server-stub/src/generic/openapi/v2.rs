//! `/openapi/v2`: everything in one document. It is made when it is first asked for, and again when a part changes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::document;
use super::endpoint::{fingerprint, refusal, with_etag};
use super::source::{DocumentInfo, DocumentSource};
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, Response};

/// The built-in groups, and where others come from.
pub(super) struct V2 {
    sources: Vec<Arc<dyn DocumentSource>>,
    made: Mutex<Option<Made>>,
}

#[derive(Clone)]
struct Made {
    /// The documents that were merged into this one.
    parts: Vec<DocumentInfo>,
    hash: String,
    body: Bytes,
}

impl V2 {
    pub(super) fn new(sources: Vec<Arc<dyn DocumentSource>>) -> Self {
        Self {
            sources,
            made: Mutex::new(None),
        }
    }

    async fn current(&self) -> Made {
        let parts: Vec<DocumentInfo> = self.sources.iter().flat_map(|source| source.documents()).collect();
        let made = self.made.lock().clone();
        if let Some(made) = made.filter(|made| made.parts == parts) {
            return made;
        }
        let made = Made {
            hash: fingerprint(&parts),
            body: self.merged().await.to_string().into(),
            parts,
        };
        *self.made.lock() = Some(made.clone());
        made
    }

    async fn merged(&self) -> Value {
        let mut merged = document::v2();
        for source in &self.sources {
            for info in source.documents() {
                if let Some(part) = source.v2(&info.path).await {
                    add(&mut merged, part);
                }
            }
        }
        merged
    }
}

/// Adds the paths and definitions of a document. Definitions of the same name are those of the same type.
fn add(merged: &mut Value, part: Value) {
    let Value::Object(mut part) = part else { return };
    for field in ["paths", "definitions"] {
        let (Some(Value::Object(into)), Some(Value::Object(from))) = (merged.get_mut(field), part.remove(field)) else {
            continue;
        };
        add_missing(into, from);
    }
}

fn add_missing(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        into.entry(name).or_insert(value);
    }
}

#[async_trait]
impl Handler for V2 {
    async fn handle(&self, request: Request) -> Response {
        if let Some(refusal) = refusal(&request) {
            return refusal;
        }
        let current = self.current().await;
        with_etag(request.headers(), &current.hash, &current.body)
    }
}
