//! The server's connection to itself: no network, but every filter on the way.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, future};
use http::HeaderValue;
use http::header::{AUTHORIZATION, USER_AGENT};
use http_body_util::BodyStream;
use kubewire_client::transport::{Body, Transport, TransportError};

use super::delegation::Handler;
use super::request::full;

/// Hands requests to the handler chain as a privileged user.
pub(super) struct Loopback {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) authorization: HeaderValue,
}

/// The first word is the manager of the fields that the server sets in its own objects, as in kube-apiserver.
const AGENT: HeaderValue = HeaderValue::from_static(concat!(
    "kube-apiserver/",
    env!("CARGO_PKG_VERSION"),
    " (kubewire-server-stub)"
));

#[async_trait]
impl Transport for Loopback {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Body>, TransportError> {
        let mut request = request.map(full);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.entry(USER_AGENT).or_insert(AGENT);
        let response = self.handler.handle(request).await;
        Ok(response.map(|body| {
            let data = BodyStream::new(body).filter_map(|frame| {
                let data = frame.map_err(TransportError::body).map(|frame| frame.into_data().ok());
                future::ready(data.transpose())
            });
            data.boxed()
        }))
    }
}
