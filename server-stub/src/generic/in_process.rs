//! Requests without a network, but with every filter on the way: the server's connection to itself, and that of tests.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, InvalidHeaderValue, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use tower_service::Service;

use super::delegation::Handler;
use super::request::{Response, full};
use crate::authentication::Connection;

/// A server's handler chain as a service of the tower family, which a client can use instead of connections:
/// [`kubewire_client::transport::from_service`]. Layers of tower can stand between the two.
///
/// What a request needs and does not have itself it gets here: credentials and a user agent. It cannot change the
/// protocol, as exec does.
#[derive(Clone)]
pub struct InProcess {
    handler: Arc<dyn Handler>,
    /// Whose certificate the requests come with.
    connection: Option<Arc<Connection>>,
    headers: HeaderMap,
}

/// The first word is the manager of the fields that the server sets in its own objects, as in kube-apiserver.
const OWN_AGENT: HeaderValue = HeaderValue::from_static(concat!(
    "kube-apiserver/",
    env!("CARGO_PKG_VERSION"),
    " (kubewire-server-stub)"
));

impl InProcess {
    /// Requests of nobody.
    pub(super) fn new(handler: Arc<dyn Handler>) -> Self {
        Self {
            handler,
            connection: None,
            headers: HeaderMap::new(),
        }
    }

    /// Requests of the server itself.
    pub(super) fn with_own_agent(mut self) -> Self {
        self.headers.insert(USER_AGENT, OWN_AGENT);
        self
    }

    /// Requests as over a connection on which the client has shown its certificate.
    #[must_use]
    pub fn with_connection(mut self, connection: Connection) -> Self {
        self.connection = Some(Arc::new(connection));
        self
    }

    /// Requests with a bearer token, and no certificate.
    ///
    /// # Errors
    /// The token has characters that a header cannot have.
    pub fn with_token(mut self, token: &str) -> Result<Self, InvalidHeaderValue> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, authorization);
        self.connection = None;
        Ok(self)
    }
}

impl Service<http::Request<Bytes>> for InProcess {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Self::Future {
        let mut request = request.map(full);
        for (name, value) in &self.headers {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        if let Some(connection) = &self.connection {
            request.extensions_mut().insert(connection.clone());
        }
        let handler = self.handler.clone();
        async move { Ok(handler.handle(request).await) }.boxed()
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}
