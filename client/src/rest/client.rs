//! Sends requests: negotiation, time limits, retries.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use parking_lot::RwLock;
use tokio::time::Instant;

use super::observer::Observer;
use super::rate_limiter::RateLimiter;
use super::request::{PROTOBUF, Request};
use super::response::Response;
use super::retry::Retry;
use super::status::read_status;
use super::warning::WarningHandler;
use crate::backoff::{ExponentialOptions, retry_after};
use crate::config::Config;
use crate::error::Error;
use crate::resource::Gvr;
use crate::transport::{self, Body, Connection, Transport, Upgrade, collect};
use crate::wire::Encoding;

/// A connection to one API server as one user. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Arc<dyn Transport>,
    encoding: Encoding,
    request_timeout: Option<Duration>,
    retries: ExponentialOptions,
    rate_limiter: Option<RateLimiter>,
    warnings: WarningHandler,
    observer: Observer,
    /// Resources whose server turned out not to speak protobuf.
    json_only: RwLock<HashSet<Gvr>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("encoding", &self.shared.encoding)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client by this configuration; connections are made when they are needed.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self::over(transport::connect(config).map_err(Error::config)?, config))
    }

    /// A client by the user's kubeconfig, or by the service account of the pod it runs in.
    pub fn try_default() -> Result<Self, Error> {
        Self::new(&Config::infer().map_err(Error::config)?)
    }

    /// A client over any transport, speaking protobuf where it can.
    pub fn with_transport(transport: Arc<dyn Transport>) -> Self {
        Self::over(transport, &Config::new(""))
    }

    /// A client over any transport, with all of a configuration that is not about connections and credentials.
    pub fn over(transport: Arc<dyn Transport>, config: &Config) -> Self {
        Self {
            shared: Arc::new(Shared {
                transport,
                encoding: config.encoding,
                request_timeout: config.request_timeout,
                retries: config.retries,
                rate_limiter: config.rate_limit.map(RateLimiter::new),
                warnings: config.warnings.clone(),
                observer: Observer::new(config),
                json_only: RwLock::default(),
            }),
        }
    }

    /// How a body for this resource is to be encoded, where its type can be either.
    pub(crate) fn encoding_for(&self, resource: &Gvr) -> Encoding {
        if self.shared.json_only.read().contains(resource) {
            Encoding::Json
        } else {
            self.shared.encoding
        }
    }

    /// Remembers that this resource's server does not speak protobuf.
    pub(crate) fn use_json_for(&self, resource: &Gvr) {
        tracing::debug!(%resource, "the server does not speak protobuf for this resource, using JSON from now on");
        self.shared.json_only.write().insert(resource.clone());
    }

    /// Sends a request and returns once the head of a 2xx answer is there; any other answer is an error.
    ///
    /// Tries again, with growing delays, what the server asks to have again (429 and 503 with `Retry-After`) and what
    /// found no connection. Reads are tried again after a broken connection, 502 and 503 as well; writes are not, as
    /// they may have been executed. Watches are left to whoever follows them.
    ///
    /// Cancel safe: dropping the future cancels the request. The time limit covers all tries and the body, except for
    /// watches.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        self.send_in_time(request.into(), false).await
    }

    /// Like [`send`](Client::send), and reads the body: a read whose body breaks off is tried again too.
    pub(crate) async fn send_whole(&self, request: Request) -> Result<Response, Error> {
        self.send_in_time(request.into(), true).await
    }

    /// Sends a request to change the protocol; any answer but the server's agreement is an error.
    pub(crate) async fn upgrade(&self, request: Request) -> Result<(http::response::Parts, Connection), Error> {
        self.wait_for_rate_limit(&request).await;
        let mut builder = http::Request::builder()
            .method(request.verb.method())
            .uri(request.url());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let http = builder
            .body(())
            .map_err(|error| Error::invalid(&request, error.to_string()))?;
        let sending = self.shared.transport.upgrade(http);
        let code = |answer: &Upgrade| match answer {
            Upgrade::Switched { head, .. } => head.status.as_u16(),
            Upgrade::Refused(response) => response.status().as_u16(),
        };
        let answer = self.shared.observer.exchange(&request, 0, sending, code).await;
        match answer.map_err(|error| Error::transport(&request, error))? {
            Upgrade::Switched { head, connection } => Ok((head, connection)),
            Upgrade::Refused(response) => {
                let (head, body) = response.into_parts();
                let text = collect(body).await.map_err(|error| Error::transport(&request, error))?;
                let status = read_status(head.status, &head.headers, text);
                Err(Error::refused(&request, status, retry_after(&head.headers)))
            }
        }
    }

    async fn send_in_time(&self, request: Arc<Request>, whole: bool) -> Result<Response, Error> {
        let limit = self.shared.request_timeout.filter(|_| request.time_limit);
        let sending = self.send_with_retries(&request, whole);
        let Some(limit) = limit else { return sending.await };
        let deadline = Instant::now() + limit;
        let response = tokio::time::timeout_at(deadline, sending).await;
        let mut response = response.map_err(|_| Error::timeout(&*request, limit))??;
        response.deadline = Some((deadline, limit));
        Ok(response)
    }

    async fn send_with_retries(&self, request: &Arc<Request>, whole: bool) -> Result<Response, Error> {
        let mut retry = Retry::new(request.verb, self.shared.retries);
        let mut resends = 0;
        loop {
            self.wait_for_rate_limit(request).await;
            let answer = match self.send_once(request, resends).await {
                Ok(response) if whole => response.collected().await,
                answer => answer,
            };
            let error = match answer {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let Some(delay) = retry.after(&error) else {
                return Err(error);
            };
            tracing::debug!(%error, ?delay, "trying again");
            if let Some(metrics) = &self.shared.observer.metrics {
                metrics.retried(request.verb, error.code());
            }
            tokio::time::sleep(delay).await;
            resends += 1;
        }
    }

    async fn wait_for_rate_limit(&self, request: &Request) {
        let Some(limiter) = &self.shared.rate_limiter else {
            return;
        };
        let waited = limiter.acquire(request.verb.word(), &request.about).await;
        if let (Some(metrics), false) = (&self.shared.observer.metrics, waited.is_zero()) {
            metrics.rate_limited(request.verb, waited);
        }
    }

    async fn send_once(&self, request: &Arc<Request>, resends: u32) -> Result<Response, Error> {
        let mut encoding = if request.protobuf {
            self.shared.encoding
        } else {
            Encoding::Json
        };
        if let (Encoding::Protobuf, Some(resource)) = (encoding, &request.resource) {
            encoding = self.encoding_for(resource);
        }
        let mut builder = http::Request::builder()
            .method(request.verb.method())
            .uri(request.url())
            .header(header::ACCEPT, request.accept_header(encoding))
            .header(header::ACCEPT_ENCODING, "identity");
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let mut body = Bytes::new();
        if let Some(content) = &request.body {
            builder = builder.header(header::CONTENT_TYPE, content.content_type);
            body = content.bytes.clone();
        }
        let http_request = builder
            .body(body)
            .map_err(|error| Error::invalid(&**request, error.to_string()))?;
        let sending = self.shared.transport.send(http_request);
        let code = |answer: &http::Response<Body>| answer.status().as_u16();
        let answer = self.shared.observer.exchange(request, resends, sending, code).await;
        let (head, body) = answer
            .map_err(|error| Error::transport(&**request, error))?
            .into_parts();
        self.shared.warnings.handle(&head.headers);
        let unchanged = head.status == StatusCode::NOT_MODIFIED && request.headers.contains_key(header::IF_NONE_MATCH);
        if head.status.is_success() || unchanged {
            return Ok(Response {
                request: request.clone(),
                head,
                body,
                deadline: None,
            });
        }
        let refusal_of_protobuf = encoding == Encoding::Protobuf && head.status == StatusCode::NOT_ACCEPTABLE;
        if let (true, Some(resource)) = (refusal_of_protobuf, &request.resource) {
            self.use_json_for(resource);
            return Box::pin(self.send_once(request, resends + 1)).await;
        }
        let text = collect(body)
            .await
            .map_err(|error| Error::transport(&**request, error))?;
        let status = read_status(head.status, &head.headers, text);
        Err(Error::refused(&**request, status, retry_after(&head.headers)))
    }
}

/// The media type of a body in this encoding.
pub(crate) fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => PROTOBUF,
        Encoding::Json => super::request::JSON,
    }
}
