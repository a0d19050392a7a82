//! Writes every answered request to the log.

use std::sync::Arc;

use async_trait::async_trait;

use crate::generic::delegation::Handler;
use crate::generic::request::{Request, RequestInfo, Response};

struct WithHttpLogging(Arc<dyn Handler>);

pub(super) fn with_http_logging(inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
    Arc::new(WithHttpLogging(inner))
}

#[async_trait]
impl Handler for WithHttpLogging {
    async fn handle(&self, request: Request) -> Response {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return self.0.handle(request).await;
        }
        let (info, uri) = (RequestInfo::of(&request), request.uri().clone());
        let start = tokio::time::Instant::now();
        let response = self.0.handle(request).await;
        let (status, elapsed) = (response.status().as_u16(), start.elapsed());
        tracing::debug!(verb = %info.verb, %uri, status, ?elapsed, "request");
        response
    }
}
