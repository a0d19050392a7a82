//! Counts requests for what is there: how many, how long they take, how large their answers are.
//!
//! As in kube-apiserver, what the filters in front refuse is not counted here, nor are paths that nobody serves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::body::Body as _;
use tokio::time::Instant;

use super::body::guarded;
use super::timeout::is_long_running;
use crate::generic::delegation::Handler;
use crate::generic::metrics::{LongRunning, Metrics, RequestLabels};
use crate::generic::request::{Request, RequestInfo, Response};
use crate::generic::respond::Refusal;

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
        let long_running = is_long_running(&info);
        let Some(labels) = RequestLabels::of(&request, info) else {
            return self.inner.handle(request).await;
        };
        let start = Instant::now();
        let response = self.inner.handle(request).await;
        if is_unknown_path(&response) {
            return response;
        }
        let code = response.status().as_u16();
        if long_running {
            let open = Open {
                metrics: self.metrics.clone(),
                _gauge: self.metrics.long_running(&labels),
                labels,
                code,
                start,
            };
            return guarded(response, open);
        }
        let size = response.body().size_hint().exact().unwrap_or_default();
        self.metrics.record(&labels, code, start.elapsed(), size);
        response
    }
}

/// A watch or stream, which is counted at its end.
struct Open {
    metrics: Arc<Metrics>,
    _gauge: LongRunning,
    labels: RequestLabels,
    code: u16,
    start: Instant,
}

impl Drop for Open {
    fn drop(&mut self) {
        let elapsed: Duration = self.start.elapsed();
        self.metrics.record(&self.labels, self.code, elapsed, 0);
    }
}

fn is_unknown_path(response: &Response) -> bool {
    response.status() == http::StatusCode::NOT_FOUND
        && response
            .extensions()
            .get::<Refusal>()
            .is_some_and(Refusal::is_unknown_path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::request_info::with_request_info;
    use crate::generic::delegation::{NotFound, text};
    use crate::generic::request::empty;
    use http::StatusCode;

    struct Missing;

    #[async_trait]
    impl Handler for Missing {
        async fn handle(&self, _: Request) -> Response {
            text(StatusCode::NOT_FOUND, "no such object")
        }
    }

    async fn get(inner: Arc<dyn Handler>, metrics: &Arc<Metrics>, target: &str) -> Response {
        let request = http::Request::get(target).body(empty()).unwrap();
        let handler = with_request_info(with_metrics(inner, metrics.clone()));
        handler.handle(request).await
    }

    #[tokio::test]
    async fn missing_objects_count_and_unknown_paths_do_not() {
        let metrics = Arc::new(Metrics::default());
        get(Arc::new(NotFound), &metrics, "/api/v1/nosuch").await;
        get(Arc::new(Missing), &metrics, "/api/v1/nodes/a").await;
        let text = metrics.render(jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(
            text.matches("\napiserver_request_total{code=\"404\"").count(),
            1,
            "{text}"
        );
        assert!(text.contains("resource=\"nodes\""), "{text}");
    }

    #[tokio::test]
    async fn a_watch_counts_at_its_end() {
        let metrics = Arc::new(Metrics::default());
        let watch = get(Arc::new(Missing), &metrics, "/api/v1/nodes?watch=1").await;
        let text = metrics.render(jiff::Timestamp::UNIX_EPOCH);
        assert!(text.contains("apiserver_longrunning_requests{"), "{text}");
        assert!(!text.contains("apiserver_request_total{"), "{text}");
        drop(watch);
        let text = metrics.render(jiff::Timestamp::UNIX_EPOCH);
        assert!(text.contains("verb=\"WATCH\",version=\"v1\"} 1\n"), "{text}");
    }
}
