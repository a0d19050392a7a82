//! Sends one HTTP request to the API server: connections, TLS, proxies and credentials, and nothing of Kubernetes' API.

mod connector;
mod error;
mod http;
mod pool;
mod proxy;
#[cfg(test)]
pub(crate) mod script;
mod service;

use std::sync::Arc;

use ::http::{Request, Response};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;

pub use error::TransportError;
pub use service::from_service;
use tokio::io::{AsyncRead, AsyncWrite};

use self::http::HttpTransport;
use crate::config::{Config, ConfigError};

/// A response body as it arrives. Dropping it cancels the request.
pub type Body = BoxStream<'static, Result<Bytes, TransportError>>;

/// Something that answers HTTP requests: a connection pool, an in-process server, a fake in a test.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`, whose URI is a path and query only, and returns once the response's head is there.
    ///
    /// Answers other than 2xx are `Ok`. Cancel safe: dropping the future or the body cancels the request.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError>;

    /// Sends a request to change the protocol (`Connection: Upgrade`), and returns the connection once the server has
    /// agreed by a 101.
    ///
    /// Only transports over HTTP/1.1 connections of their own can do that; the others fail. Cancel safe.
    async fn upgrade(&self, request: Request<()>) -> Result<Upgrade, TransportError> {
        let _ = request;
        Err(TransportError::unsendable("this transport cannot change the protocol"))
    }
}

/// A connection after its protocol was changed.
pub type Connection = Box<dyn ByteStream>;

/// Bytes in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// The answer to a request to change the protocol.
pub enum Upgrade {
    /// The server agreed.
    Switched {
        /// The head of its answer.
        head: ::http::response::Parts,
        /// What comes after it.
        connection: Connection,
    },
    /// It answered something else.
    Refused(Response<Body>),
}

/// Prepares connections to the server of `config`: HTTP/2 over TLS, pooled, kept alive by pings. Nothing is sent yet.
///
/// Every request gets the credentials, impersonation and user agent of `config` unless it sets those headers itself.
/// Redirects are answers like any other. Tokens and certificates in files are read again when they change; after a
/// 401 that newer credentials may mend, the request goes out once more.
///
/// # Errors
/// What cannot be used in `config`: see [`ConfigError`].
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let config = server.client_config();
/// use kubewire_client::transport;
///
/// let transport = transport::connect(&config)?;
/// let response = transport.send(http::Request::get("/version").body(bytes::Bytes::new())?).await?;
/// assert!(response.status().is_success());
/// # Ok(())
/// # }
/// ```
pub fn connect(config: &Config) -> Result<Arc<dyn Transport>, ConfigError> {
    Ok(Arc::new(HttpTransport::new(config)?))
}

/// The whole of a body.
pub(crate) async fn collect(mut body: Body) -> Result<Bytes, TransportError> {
    let Some(first) = body.next().await.transpose()? else {
        return Ok(Bytes::new());
    };
    let Some(second) = body.next().await.transpose()? else {
        return Ok(first);
    };
    let mut whole = BytesMut::with_capacity((first.len() + second.len()) * 2);
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(chunk) = body.next().await.transpose()? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// A host without the brackets that URLs put around IPv6 addresses.
fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}
