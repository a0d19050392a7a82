//! `/openapi/v2`: everything in one document. It is made when it is first asked for, and again when a part changes.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;

use super::endpoint::{JSON, MediaTypes, Sent, fingerprint};
use super::source::{DocumentInfo, DocumentSource};
use super::{document, merge, protobuf, shared_parameters};
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, Response};

const MEDIA_TYPES: MediaTypes = MediaTypes {
    protobuf: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    accepted: [
        JSON,
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    ],
};

/// The built-in groups, and where others come from.
pub(super) struct V2 {
    sources: Vec<Arc<dyn DocumentSource>>,
    /// The document of what is built in, to which others are added.
    built_in: OnceLock<Bytes>,
    made: Mutex<Option<Made>>,
}

#[derive(Clone)]
struct Made {
    /// The documents that were merged into this one.
    parts: Vec<DocumentInfo>,
    sent: Arc<Sent>,
}

impl V2 {
    pub(super) fn new(sources: Vec<Arc<dyn DocumentSource>>) -> Self {
        Self {
            sources,
            built_in: OnceLock::new(),
            made: Mutex::new(None),
        }
    }

    async fn current(&self) -> Arc<Sent> {
        let parts: Vec<DocumentInfo> = self.sources.iter().flat_map(|source| source.documents()).collect();
        let made = self.made.lock().clone();
        if let Some(made) = made.filter(|made| made.parts == parts) {
            return made.sent;
        }
        let json = self.merged().await.to_string().into();
        let sent = Arc::new(Sent::new(fingerprint(&parts), json));
        *self.made.lock() = Some(Made {
            parts,
            sent: sent.clone(),
        });
        sent
    }

    async fn merged(&self) -> Value {
        let built_in = self.built_in.get_or_init(|| document::v2().to_string().into());
        let mut merged = serde_json::from_slice(built_in).unwrap_or_default();
        for source in &self.sources {
            for info in source.documents() {
                if let Some(part) = source.v2(&info.path).await {
                    merge::add(&mut merged, part);
                }
            }
        }
        shared_parameters::share(&mut merged);
        merged
    }
}

#[async_trait]
impl Handler for V2 {
    async fn handle(&self, request: Request) -> Response {
        let current = self.current().await;
        current.answer(request.headers(), &MEDIA_TYPES, protobuf::v2)
    }
}
