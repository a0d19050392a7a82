//! Sends one HTTP request to the API server: connections, TLS, proxies and credentials, and nothing of Kubernetes' API.

mod error;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

pub use error::TransportError;

/// A response body as it arrives. Dropping it cancels the request.
pub type Body = BoxStream<'static, Result<Bytes, TransportError>>;

/// Something that answers HTTP requests: a connection pool, an in-process server, a fake in a test.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`, whose URI is a path and query only, and returns once the response's head is there.
    ///
    /// Answers other than 2xx are `Ok`. Cancel safe: dropping the future or the body cancels the request.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Body>, TransportError>;
}
