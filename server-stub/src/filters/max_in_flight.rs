//! Refuses requests with 429 while too many are under way. Watches, streams and `system:masters` do not count.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use tokio::sync::Semaphore;

use super::timeout::is_long_running;
use crate::generic::delegation::{Handler, text};
use crate::generic::hooks::PostStartHook;
use crate::generic::metrics::{Metrics, RequestLabels};
use crate::generic::request::{Request, RequestInfo, Response, UserInfo};

/// How many requests may be under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlightLimits {
    /// Requests that only read; 0 for no limit. Default 400.
    pub read_only: usize,
    /// Requests that write; 0 for no limit. Default 200.
    pub mutating: usize,
}

impl Default for InFlightLimits {
    fn default() -> Self {
        Self {
            read_only: 400,
            mutating: 200,
        }
    }
}

/// The hook that keeps the time by which the highest numbers of requests under way are told.
pub(crate) fn max_in_flight_hook(metrics: Arc<Metrics>) -> PostStartHook {
    PostStartHook::new("max-in-flight-filter", move |context| {
        let (metrics, stop) = (metrics.clone(), context.lifecycle.shutdown_initiated.clone());
        context.tasks.spawn(async move {
            while tokio::time::timeout(SECOND, stop.cancelled()).await.is_err() {
                metrics.next_second();
            }
        });
        async { Ok(()) }
    })
}

const SECOND: Duration = Duration::from_secs(1);

struct WithMaxInFlight {
    inner: Arc<dyn Handler>,
    read_only: Semaphore,
    mutating: Semaphore,
    metrics: Arc<Metrics>,
}

pub(super) fn with_max_in_flight(
    inner: Arc<dyn Handler>,
    limits: InFlightLimits,
    metrics: Arc<Metrics>,
) -> Arc<dyn Handler> {
    let semaphore = |limit| Semaphore::new(if limit == 0 { Semaphore::MAX_PERMITS } else { limit });
    Arc::new(WithMaxInFlight {
        inner,
        read_only: semaphore(limits.read_only),
        mutating: semaphore(limits.mutating),
        metrics,
    })
}

#[async_trait]
impl Handler for WithMaxInFlight {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        if is_long_running(&info) {
            return self.inner.handle(request).await;
        }
        let mutating = !matches!(info.verb.as_str(), "get" | "list" | "watch");
        let _in_flight = self.metrics.in_flight(mutating);
        let permit = if mutating { &self.mutating } else { &self.read_only }.try_acquire();
        if permit.is_err() && !UserInfo::of(&request).is_in_group("system:masters") {
            if let Some(labels) = RequestLabels::of(&request, info) {
                self.metrics.terminated(&labels, StatusCode::TOO_MANY_REQUESTS.as_u16());
            }
            let mut response = text(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests, please try again later.\n",
            );
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
        self.inner.handle(request).await
    }
}
