//! A request that is not a watch or a stream gets an answer within its `timeout` parameter, at most the server's limit.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::endpoints::Query;
use crate::generic::delegation::Handler;
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
}

pub(super) fn with_timeout(inner: Arc<dyn Handler>, limit: Duration) -> Arc<dyn Handler> {
    Arc::new(WithTimeout { inner, limit })
}

#[async_trait]
impl Handler for WithTimeout {
    async fn handle(&self, request: Request) -> Response {
        if is_long_running(&RequestInfo::of(&request)) {
            return self.inner.handle(request).await;
        }
        let error_format = respond::error_format(&request);
        let wanted = match requested_timeout(request.uri().query()) {
            Ok(wanted) => wanted,
            Err(message) => return respond::error(&ApiError::bad_request(message), error_format),
        };
        let limit = wanted.unwrap_or(self.limit).min(self.limit);
        match tokio::time::timeout(limit, self.inner.handle(request)).await {
            Ok(response) => response,
            Err(_) => {
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
        let handler = with_timeout(Arc::new(Stuck), Duration::from_secs(60));
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
