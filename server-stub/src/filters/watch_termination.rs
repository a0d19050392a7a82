//! Watches and streams end when the server takes no new requests: nobody waits for them.

use std::sync::Arc;

use async_trait::async_trait;

use super::body::until;
use super::timeout::is_long_running;
use crate::generic::delegation::Handler;
use crate::generic::lifecycle::LifecycleSignals;
use crate::generic::request::{Request, RequestInfo, Response};

struct WithWatchTermination {
    inner: Arc<dyn Handler>,
    lifecycle: LifecycleSignals,
}

pub(super) fn with_watch_termination(inner: Arc<dyn Handler>, lifecycle: LifecycleSignals) -> Arc<dyn Handler> {
    Arc::new(WithWatchTermination { inner, lifecycle })
}

#[async_trait]
impl Handler for WithWatchTermination {
    async fn handle(&self, request: Request) -> Response {
        let endless = is_long_running(&RequestInfo::of(&request));
        let response = self.inner.handle(request).await;
        if !endless {
            return response;
        }
        let stop = self.lifecycle.not_accepting_new_request.clone().cancelled_owned();
        response.map(|body| until(body, stop))
    }
}
