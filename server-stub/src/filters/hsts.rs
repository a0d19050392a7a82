//! `Strict-Transport-Security`: tells browsers to come by TLS only (`--strict-transport-security-directives`).

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{HeaderValue, STRICT_TRANSPORT_SECURITY};

use crate::generic::delegation::Handler;
use crate::generic::request::{Request, Response};

struct WithHsts {
    inner: Arc<dyn Handler>,
    directives: HeaderValue,
}

/// Adds the header to every answer, if there are directives.
pub(super) fn with_hsts(inner: Arc<dyn Handler>, directives: &[String]) -> Arc<dyn Handler> {
    match HeaderValue::from_str(&directives.join("; ")) {
        Ok(directives) if !directives.is_empty() => Arc::new(WithHsts { inner, directives }),
        _ => inner,
    }
}

#[async_trait]
impl Handler for WithHsts {
    async fn handle(&self, request: Request) -> Response {
        let mut response = self.inner.handle(request).await;
        let headers = response.headers_mut();
        headers
            .entry(STRICT_TRANSPORT_SECURITY)
            .or_insert_with(|| self.directives.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::delegation::NotFound;
    use crate::generic::request::empty;

    #[tokio::test]
    async fn directives_are_joined() {
        let directives = ["max-age=31536000".to_owned(), "includeSubDomains".to_owned()];
        let ask = async |directives: &[String]| {
            let handler = with_hsts(Arc::new(NotFound), directives);
            let response = handler.handle(http::Request::get("/").body(empty()).unwrap()).await;
            response.headers().get(STRICT_TRANSPORT_SECURITY).cloned()
        };
        assert_eq!(ask(&directives).await.unwrap(), "max-age=31536000; includeSubDomains");
        assert_eq!(ask(&[]).await, None);
    }
}
