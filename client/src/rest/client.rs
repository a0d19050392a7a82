//! Sends requests: negotiation, time limits, retries.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::header;
use parking_lot::RwLock;
use tokio::time::Instant;

use super::request::{PROTOBUF, Request, Verb};
use super::response::{Response, collect};
use super::status::read_status;
use crate::backoff::{Backoff, ExponentialBackoff, ExponentialOptions, retry_after};
use crate::config::Config;
use crate::error::Error;
use crate::resource::Gvr;
use crate::transport::{self, Transport};
use crate::wire::Encoding;

/// How often a request is sent again, as in client-go.
const MAX_RETRIES: usize = 10;

/// A connection to one API server as one user. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Arc<dyn Transport>,
    encoding: Encoding,
    request_timeout: Option<Duration>,
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
        let transport = transport::connect(config).map_err(Error::config)?;
        Ok(Self::build(transport, config.encoding, config.request_timeout))
    }

    /// A client by the user's kubeconfig, or by the service account of the pod it runs in.
    pub fn try_default() -> Result<Self, Error> {
        Self::new(&Config::infer().map_err(Error::config)?)
    }

    /// A client over any transport, speaking protobuf where it can.
    pub fn with_transport(transport: Arc<dyn Transport>) -> Self {
        Self::build(transport, Encoding::Protobuf, Some(Duration::from_secs(120)))
    }

    fn build(transport: Arc<dyn Transport>, encoding: Encoding, request_timeout: Option<Duration>) -> Self {
        let json_only = RwLock::default();
        Self {
            shared: Arc::new(Shared {
                transport,
                encoding,
                request_timeout,
                json_only,
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
    /// Tries again, with growing delays, where nothing was sent (no connection) and where the server says that it did
    /// nothing and when to come back (429 and 503 with `Retry-After`). Cancel safe: dropping the future cancels the
    /// request. The time limit covers the body too, except for watches.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let limit = self.shared.request_timeout.filter(|_| request.verb != Verb::Watch);
        let sending = self.send_with_retries(&request);
        let Some(limit) = limit else { return sending.await };
        let deadline = Instant::now() + limit;
        let response = tokio::time::timeout_at(deadline, sending).await;
        let mut response = response.map_err(|_| Error::timeout(request.doing(), limit))??;
        response.deadline = Some((deadline, limit));
        Ok(response)
    }

    async fn send_with_retries(&self, request: &Request) -> Result<Response, Error> {
        let options = ExponentialOptions::default().with_initial(Duration::from_millis(100));
        let mut backoff = ExponentialBackoff::new(options.with_max_tries(Some(MAX_RETRIES)));
        loop {
            let error = match self.send_once(request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            // A watch has a reflector behind it that knows better when to come back.
            let again = error.retry_after().is_some() && matches!(error.code(), Some(429 | 503));
            if !again || request.verb == Verb::Watch {
                return Err(error);
            }
            let Some(delay) = backoff.next_delay_after(error.retry_after()) else {
                return Err(error);
            };
            tracing::debug!(%error, ?delay, "trying again");
            tokio::time::sleep(delay).await;
        }
    }

    async fn send_once(&self, request: &Request) -> Result<Response, Error> {
        let doing = request.doing();
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
            .uri(format!("{}{}", request.path, request.query))
            .header(header::ACCEPT, request.accept(encoding))
            .header(header::ACCEPT_ENCODING, "identity");
        let mut body = bytes::Bytes::new();
        if let Some(content) = &request.body {
            builder = builder.header(header::CONTENT_TYPE, content.content_type);
            body = content.bytes.clone();
        }
        let http_request = builder
            .body(body)
            .map_err(|error| Error::invalid(&doing, error.to_string()))?;
        let response = self.shared.transport.send(http_request).await;
        let (head, body) = response.map_err(|error| Error::transport(&doing, error))?.into_parts();
        log_warnings(&head.headers);
        if head.status.is_success() {
            return Ok(Response {
                doing,
                head,
                body,
                deadline: None,
            });
        }
        let refusal_of_protobuf = encoding == Encoding::Protobuf && head.status == http::StatusCode::NOT_ACCEPTABLE;
        if let (true, Some(resource)) = (refusal_of_protobuf, &request.resource) {
            self.use_json_for(resource);
            return Box::pin(self.send_once(request)).await;
        }
        let text = collect(body).await.map_err(|error| Error::transport(&doing, error))?;
        let status = read_status(head.status, &head.headers, text);
        Err(Error::from_status(doing, status, retry_after(&head.headers)))
    }
}

/// The media type of a body in this encoding.
pub(crate) fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => PROTOBUF,
        Encoding::Json => super::request::JSON,
    }
}

fn log_warnings(headers: &http::HeaderMap) {
    for warning in headers.get_all(header::WARNING) {
        tracing::warn!(warning = %String::from_utf8_lossy(warning.as_bytes()), "the API server warns");
    }
}
