//! While the server stops, new requests are told to come back later.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use tokio_util::task::TaskTracker;

use super::body::guarded;
use super::timeout::is_long_running;
use crate::generic::delegation::{Handler, text};
use crate::generic::lifecycle::LifecycleSignals;
use crate::generic::request::{Request, RequestInfo, Response};

/// Counts the requests that are under way.
#[derive(Clone, Debug, Default)]
pub struct RequestsInFlight(TaskTracker);

impl RequestsInFlight {
    /// Waits until none is left. Requests that never end do not count.
    pub(crate) async fn wait_idle(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

struct WithRetryAfter {
    inner: Arc<dyn Handler>,
    lifecycle: LifecycleSignals,
    in_flight: RequestsInFlight,
}

/// Answers 429 once no request is taken any more.
pub(super) fn with_retry_after(
    inner: Arc<dyn Handler>,
    lifecycle: LifecycleSignals,
    in_flight: RequestsInFlight,
) -> Arc<dyn Handler> {
    Arc::new(WithRetryAfter {
        inner,
        lifecycle,
        in_flight,
    })
}

#[async_trait]
impl Handler for WithRetryAfter {
    async fn handle(&self, request: Request) -> Response {
        if !self.lifecycle.not_accepting_new_request.is_cancelled() {
            if is_long_running(&RequestInfo::of(&request)) {
                return self.inner.handle(request).await;
            }
            let token = self.in_flight.0.token();
            let response = self.inner.handle(request).await;
            return guarded(response, token);
        }
        let mut response = text(
            StatusCode::TOO_MANY_REQUESTS,
            "The apiserver is shutting down, please try again later.\n",
        );
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::delegation::NotFound;
    use crate::generic::request::empty;

    #[tokio::test]
    async fn who_comes_too_late_is_told_to_come_back() {
        let (lifecycle, in_flight) = (LifecycleSignals::default(), RequestsInFlight::default());
        let handler = with_retry_after(Arc::new(NotFound), lifecycle.clone(), in_flight.clone());
        let request = || http::Request::get("/").body(empty()).unwrap();
        assert_eq!(handler.handle(request()).await.status(), 404);
        lifecycle.not_accepting_new_request.cancel();
        let late = handler.handle(request()).await;
        assert_eq!(
            (late.status().as_u16(), late.headers()[RETRY_AFTER].to_str().unwrap()),
            (429, "5")
        );
        in_flight.wait_idle().await;
    }
}
