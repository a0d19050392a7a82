//! A request that is not a watch or a stream gets an answer within its `timeout` parameter, at most the server's limit.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::endpoints::Query;
use crate::generic::delegation::Handler;
use crate::generic::metrics::{Metrics, RequestLabels};
use crate::generic::request::{Request, RequestInfo, Response};
use crate::generic::respond;
use crate::status::ApiError;

/// Whether a request may stay open: watches, proxied requests, logs and the streams into a container.
pub fn is_long_running(info: &RequestInfo) -> bool {
    const VERBS: [&str; 2] = ["watch", "proxy"];
    const SUBRESOURCES: [&str; 5] = ["attach", "exec", "proxy", "log", "portforward"];
    let by_verb = VERBS.contains(&info.verb.as_str());
    info.is_resource_request && (by_verb || SUBRESOURCES.contains(&info.subresource.as_str()))
}

struct WithTimeout {
    inner: Arc<dyn Handler>,
    limit: Duration,
    metrics: Arc<Metrics>,
}

pub(super) fn with_timeout(inner: Arc<dyn Handler>, limit: Duration, metrics: Arc<Metrics>) -> Arc<dyn Handler> {
    Arc::new(WithTimeout { inner, limit, metrics })
}

/// A request whose answer somebody waits for. If this is dropped before there is one, nobody does any more.
struct Awaited<'a> {
    metrics: &'a Metrics,
    labels: Option<RequestLabels>,
}

impl Awaited<'_> {
    /// There is an answer, or will be none.
    fn end(&mut self) -> Option<RequestLabels> {
        self.labels.take()
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if let Some(labels) = self.end() {
            self.metrics.aborted(&labels);
        }
    }
}

#[async_trait]
impl Handler for WithTimeout {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        if is_long_running(&info) {
            return self.inner.handle(request).await;
        }
        let error_format = respond::error_format(&request);
        let wanted = match requested_timeout(request.uri().query()) {
            Ok(wanted) => wanted,
            Err(message) => return respond::error(&ApiError::bad_request(message), error_format),
        };
        let limit = wanted.unwrap_or(self.limit).min(self.limit);
        let mut awaited = Awaited {
            metrics: &self.metrics,
            labels: RequestLabels::of(&request, info),
        };
        let answer = tokio::time::timeout(limit, self.inner.handle(request)).await;
        let labels = awaited.end();
        match answer {
            Ok(response) => response,
            Err(_) => {
                if let Some(labels) = labels {
                    self.metrics.terminated(&labels, 504);
                }
                let message = "request did not complete within the allotted timeout";
                respond::error(&ApiError::timeout(message, 0), error_format)
            }
        }
    }
}

/// The `timeout` parameter; zero and less mean no wish.
fn requested_timeout(query: Option<&str>) -> Result<Option<Duration>, String> {
    let query = Query::parse(query.unwrap_or_default());
    let Some(text) = query.text("timeout") else {
        return Ok(None);
    };
    let (is_negative, amount) = text.strip_prefix('-').map_or((false, text), |amount| (true, amount));
    match crate::go_duration::parse(amount) {
        Ok(timeout) => Ok((!timeout.is_zero() && !is_negative).then_some(timeout)),
        Err(error) => Err(format!("invalid timeout specified in the request URL - {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::request::empty;
    use std::future::pending;

    struct Stuck;

    #[async_trait]
    impl Handler for Stuck {
        async fn handle(&self, _: Request) -> Response {
            pending().await
        }
    }

    async fn get(target: &str) -> u16 {
        let handler = with_timeout(Arc::new(Stuck), Duration::from_secs(60), Arc::default());
        let request = http::Request::get(target).body(empty()).unwrap();
        handler.handle(request).await.status().as_u16()
    }

    #[tokio::test(start_paused = true)]
    async fn the_shorter_of_parameter_and_limit_counts() {
        let start = tokio::time::Instant::now();
        assert_eq!(get("/api/v1/pods?timeout=5s").await, 504);
        assert_eq!(start.elapsed().as_secs(), 5);
        assert_eq!(get("/api/v1/pods?timeout=1h").await, 504);
        assert_eq!(start.elapsed().as_secs(), 65);
        assert_eq!(get("/api/v1/pods?timeout=soon").await, 400);
        assert_eq!(start.elapsed().as_secs(), 65);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gave_up_is_counted() {
        let metrics = Arc::new(Metrics::default());
        let handler = with_timeout(Arc::new(Stuck), Duration::from_secs(60), metrics.clone());
        let handler = crate::filters::request_info::with_request_info(handler);
        let get = || handler.handle(http::Request::get("/api/v1/pods").body(empty()).unwrap());
        assert_eq!(get().await.status(), 504);
        assert!(tokio::time::timeout(Duration::from_secs(1), get()).await.is_err());
        let text = metrics.render(jiff::Timestamp::UNIX_EPOCH);
        let of_pods = "group=\"\",resource=\"pods\",scope=\"cluster\",subresource=\"\",verb=\"LIST\",version=\"v1\"";
        for expected in [
            format!("\napiserver_request_terminations_total{{code=\"504\",component=\"apiserver\",{of_pods}}} 1\n"),
            format!("\napiserver_request_aborts_total{{{of_pods}}} 1\n"),
        ] {
            assert!(text.contains(&expected), "{expected} is not in\n{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn watches_and_streams_stay_open() {
        let hour = Duration::from_secs(3600);
        for target in [
            "/api/v1/pods?watch=1",
            "/api/v1/namespaces/a/pods/p/log",
            "/api/v1/watch/pods",
        ] {
            assert!(tokio::time::timeout(hour, get(target)).await.is_err(), "{target}");
        }
    }
}
