//! A panic in a handler is a 500 for its client and nothing for the others.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use http::StatusCode;

use crate::generic::delegation::{Handler, text};
use crate::generic::request::{Request, Response};

struct WithPanicRecovery(Arc<dyn Handler>);

pub(super) fn with_panic_recovery(inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
    Arc::new(WithPanicRecovery(inner))
}

#[async_trait]
impl Handler for WithPanicRecovery {
    async fn handle(&self, request: Request) -> Response {
        let target = format!("{} {}", request.method(), request.uri());
        match AssertUnwindSafe(self.0.handle(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                tracing::error!(request = %target, "a handler panicked");
                let message = "This request caused apiserver to panic. Look in the logs for details.\n";
                text(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}
