//! `Cache-Control: no-cache, private` on every answer that does not say otherwise: what a user may see is not for others.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{CACHE_CONTROL, HeaderValue};

use crate::generic::delegation::Handler;
use crate::generic::request::{Request, Response};

struct WithCacheControl(Arc<dyn Handler>);

pub(super) fn with_cache_control(inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
    Arc::new(WithCacheControl(inner))
}

#[async_trait]
impl Handler for WithCacheControl {
    async fn handle(&self, request: Request) -> Response {
        let mut response = self.0.handle(request).await;
        response
            .headers_mut()
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-cache, private"));
        response
    }
}
