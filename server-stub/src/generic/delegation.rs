//! The delegation chain: what one server does not serve it hands to the next, the last one answers 404.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};

use super::discovery::GroupDiscovery;
use super::health::HealthChecks;
use super::hooks::{PostStartHook, PreShutdownHook};
use super::openapi::DocumentSource;
use super::request::{Request, Response, full};
use super::respond;
use crate::status::ApiError;

/// Anything that answers requests: a server of the chain, a filter around one, a single path.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Answers one request. Dropping the future abandons it.
    async fn handle(&self, request: Request) -> Response;
}

/// A server in the chain: aggregator → kube-apiserver → apiextensions → [`NotFound`].
///
/// Its [`Handler`] is the part behind the filters: they run once, in front of the first server of the chain. What the
/// other methods return includes what the servers further down have, those first; what a target at the end of the chain
/// does not say is nothing.
pub trait DelegationTarget: Handler {
    /// The API groups, in no order that matters.
    fn groups(&self) -> Vec<GroupDiscovery>;

    /// The paths shown at `/`.
    fn listed_paths(&self) -> Vec<String>;

    /// What describes groups that are not built in.
    fn openapi_sources(&self) -> Vec<Arc<dyn DocumentSource>> {
        Vec::new()
    }

    /// What must be well for the server to be well.
    fn health_checks(&self) -> HealthChecks {
        HealthChecks::default()
    }

    /// What runs once the server answers.
    fn post_start_hooks(&self) -> Vec<PostStartHook> {
        Vec::new()
    }

    /// What runs before the server stops answering.
    fn pre_shutdown_hooks(&self) -> Vec<PreShutdownHook> {
        Vec::new()
    }
}

/// The end of the chain: a `Status` 404.
///
/// kube-apiserver itself ends with Go's `404 page not found` as plain text, of which clients make this very `Status`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotFound;

#[async_trait]
impl Handler for NotFound {
    async fn handle(&self, request: Request) -> Response {
        respond::error(&ApiError::unknown_path(), respond::error_format(&request))
    }
}

impl DelegationTarget for NotFound {
    fn groups(&self) -> Vec<GroupDiscovery> {
        Vec::new()
    }

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
