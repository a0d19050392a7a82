//! The delegation chain: what one server does not serve it hands to the next, the last one answers 404.

use async_trait::async_trait;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};

use super::request::{Request, Response, full};

/// Anything that answers requests: a server of the chain, a filter around one, a single path.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Answers one request. Dropping the future abandons it.
    async fn handle(&self, request: Request) -> Response;
}

/// A server in the chain: aggregator → kube-apiserver → apiextensions → [`NotFound`].
///
/// Its [`Handler`] is behind the filters: only the first server of the chain runs them.
pub trait DelegationTarget: Handler {
    /// The paths shown at `/`, those of the servers further down included.
    fn listed_paths(&self) -> Vec<String>;
}

/// The end of the chain: `404 page not found` as plain text.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotFound;

#[async_trait]
impl Handler for NotFound {
    async fn handle(&self, _: Request) -> Response {
        text(StatusCode::NOT_FOUND, "404 page not found\n")
    }
}

impl DelegationTarget for NotFound {
    fn listed_paths(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A plain text answer as Go's `http.Error` writes it.
pub fn text(status: StatusCode, message: impl Into<String>) -> Response {
    let mut response = Response::new(full(message.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
