//! `Audit-Id`: names a request in the answer, in logs and in the server's own requests on its behalf.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{HeaderName, HeaderValue};

use crate::generic::clock::Ids;
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, Response};

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// The id, in the extensions of a request.
#[derive(Clone, Debug)]
pub(crate) struct AuditId(pub(crate) String);

struct WithAuditId {
    inner: Arc<dyn Handler>,
    ids: Ids,
}

/// Keeps the id that a client sends, gives one otherwise.
pub(super) fn with_audit_id(inner: Arc<dyn Handler>, ids: Ids) -> Arc<dyn Handler> {
    Arc::new(WithAuditId { inner, ids })
}

#[async_trait]
impl Handler for WithAuditId {
    async fn handle(&self, mut request: Request) -> Response {
        let id = match request.headers().get(AUDIT_ID) {
            Some(id) if !id.is_empty() => Some(id.clone()),
            _ => HeaderValue::from_str(&self.ids.uid()).ok(),
        };
        if let Some(id) = id.as_ref().and_then(|id| id.to_str().ok()) {
            request.extensions_mut().insert(AuditId(id.to_owned()));
        }
        let mut response = self.inner.handle(request).await;
        if let Some(id) = id {
            response.headers_mut().insert(AUDIT_ID, id);
        }
        response
    }
}
