//! Counts every request and writes it to the log.

use std::sync::Arc;

use async_trait::async_trait;

use crate::generic::delegation::Handler;
use crate::generic::metrics::Metrics;
use crate::generic::request::{Request, RequestInfo, Response};

struct WithMetrics {
    inner: Arc<dyn Handler>,
    metrics: Arc<Metrics>,
}

pub(super) fn with_metrics(inner: Arc<dyn Handler>, metrics: Arc<Metrics>) -> Arc<dyn Handler> {
    Arc::new(WithMetrics { inner, metrics })
}

#[async_trait]
impl Handler for WithMetrics {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        let uri = request.uri().clone();
        let start = tokio::time::Instant::now();
        let response = self.inner.handle(request).await;
        let (status, elapsed) = (response.status().as_u16(), start.elapsed());
        tracing::debug!(verb = %info.verb, %uri, status, ?elapsed, "request");
        self.metrics.count(&info, status);
        response
    }
}
