//! A transport over a service of the tower family.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body::Body as HttpBody;
use parking_lot::Mutex;
use tower_service::Service;

use super::{Body, Transport, TransportError};

/// A transport over any HTTP service: a stack of tower layers, a router, a fake server in a test.
///
/// The service gets requests whose URI is a path and query only, and is cloned for each of them. What it cannot do is
/// to change the protocol: no exec, no attach, no port-forward.
///
/// ```
/// use std::convert::Infallible;
/// use std::task::{Context, Poll};
///
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use k8s_openapi::api::core::v1::Namespace;
/// use kubewire_client::{Client, Clientset, Object, transport};
///
/// /// A server that has one namespace.
/// #[derive(Clone)]
/// struct Fake;
///
/// impl tower_service::Service<Request<Bytes>> for Fake {
///     type Response = Response<Full<Bytes>>;
///     type Error = Infallible;
///     type Future = std::future::Ready<Result<Self::Response, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, request: Request<Bytes>) -> Self::Future {
///         assert_eq!(request.uri(), "/api/v1/namespaces/shop");
///         let namespace = r#"{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "shop"}}"#;
///         let answer = Response::builder().header("Content-Type", "application/json");
///         std::future::ready(Ok(answer.body(Full::from(namespace)).expect("a response")))
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clientset = Clientset::from_client(Client::with_transport(transport::from_service(Fake)));
/// let namespace: Namespace = clientset.core_v1().namespaces().get("shop").await?;
/// assert_eq!(namespace.metadata().name.as_deref(), Some("shop"));
/// # Ok(())
/// # }
/// ```
pub fn from_service<S, Sent, Received>(service: S) -> Arc<dyn Transport>
where
    S: Service<Request<Sent>, Response = Response<Received>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    Sent: From<Bytes> + Send + 'static,
    Received: HttpBody<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    Arc::new(ServiceTransport {
        service: Mutex::new(service),
        _sent: std::marker::PhantomData::<fn(Sent)>,
    })
}

struct ServiceTransport<S, Sent> {
    /// Only cloned: a service need not be `Sync`.
    service: Mutex<S>,
    _sent: std::marker::PhantomData<fn(Sent)>,
}

#[async_trait]
impl<S, Sent, Received> Transport for ServiceTransport<S, Sent>
where
    S: Service<Request<Sent>, Response = Response<Received>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    Sent: From<Bytes> + Send + 'static,
    Received: HttpBody<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let mut service = self.service.lock().clone();
        let ready = poll_fn(|cx| service.poll_ready(cx)).await;
        ready.map_err(TransportError::connect)?;
        let answer = service.call(request.map(Sent::from)).await;
        Ok(answer.map_err(TransportError::request)?.map(body))
    }
}

/// The data of a body; trailers are dropped.
fn body<B>(body: B) -> Body
where
    B: HttpBody<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    let data = stream::unfold(Box::pin(body), async |mut body: Pin<Box<B>>| {
        loop {
            return match poll_fn(|cx| body.as_mut().poll_frame(cx)).await? {
                Ok(frame) => match frame.into_data() {
                    Ok(mut data) => Some((Ok(data.copy_to_bytes(data.remaining())), body)),
                    Err(_) => continue,
                },
                Err(error) => Some((Err(TransportError::body(error)), body)),
            };
        }
    });
    data.boxed()
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use futures::TryStreamExt;
    use futures::future::BoxFuture;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    /// Answers with two chunks of data, trailers, and what it was sent.
    #[derive(Clone, Default)]
    struct Echo {
        is_full: bool,
        breaks_off: bool,
    }

    type Chunk = Result<Frame<Bytes>, std::io::Error>;

    impl Service<Request<Vec<u8>>> for Echo {
        type Response = Response<StreamBody<stream::Iter<std::vec::IntoIter<Chunk>>>>;
        type Error = std::io::Error;
        type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(if self.is_full {
                Err(std::io::Error::other("full"))
            } else {
                Ok(())
            })
        }

        fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
            let path = request.uri().to_string().into_bytes();
            let mut frames = vec![
                Ok(Frame::data(Bytes::from(path))),
                Ok(Frame::trailers(http::HeaderMap::new())),
                Ok(Frame::data(Bytes::from(request.into_body()))),
            ];
            if self.breaks_off {
                frames.push(Err(std::io::Error::other("broken")));
            }
            Box::pin(async { Ok(Response::new(StreamBody::new(stream::iter(frames)))) })
        }
    }

    async fn echoed(echo: Echo) -> Result<Vec<Bytes>, TransportError> {
        let request = Request::post("/a?b=c").body(Bytes::from_static(b"body")).unwrap();
        from_service(echo).send(request).await?.into_body().try_collect().await
    }

    #[tokio::test]
    async fn requests_and_answers_pass() {
        assert_eq!(echoed(Echo::default()).await.unwrap(), ["/a?b=c", "body"]);
    }

    #[tokio::test]
    async fn errors_say_how_far_the_request_came() {
        let is_full = Echo {
            is_full: true,
            ..Echo::default()
        };
        assert!(echoed(is_full).await.unwrap_err().is_unsent());
        let breaks_off = Echo {
            breaks_off: true,
            ..Echo::default()
        };
        assert!(echoed(breaks_off).await.unwrap_err().is_body());
    }
}
