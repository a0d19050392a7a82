//! The transport over the network.

use std::error::Error as StdError;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{Either, select};
use futures::{Stream, StreamExt, stream};
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::client::legacy;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::AlertDescription;

use super::connector::{BoxError, Route};
use super::pool::{Lease, Pool};
use super::{Body, Connection, Transport, TransportError, Upgrade};
use crate::config::credentials::{Credential, CredentialSource};
use crate::config::{Config, ConfigError, Impersonate};

/// Pooled HTTP/2, or HTTP/1.1 where the server knows no better.
pub(super) struct HttpTransport {
    /// Scheme, host, port and path prefix.
    base: Uri,
    pool: Pool,
    credentials: CredentialSource,
    /// Headers of every request that does not set them itself.
    headers: HeaderMap,
    /// Headers of every request that says of nobody whom to act as.
    impersonate: HeaderMap,
}

impl HttpTransport {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let base = config.base_url()?;
        let route = Route::new(config, &base)?;
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, header_value("user agent", &config.user_agent)?);
        if let Some(credentials) = route.forwarding_credentials() {
            headers.insert(PROXY_AUTHORIZATION, credentials.clone());
        }
        Ok(Self {
            base,
            pool: Pool::new(config, route)?,
            credentials: CredentialSource::new(&config.credentials)?,
            headers,
            impersonate: match &config.impersonate {
                Some(impersonate) => impersonate_headers(impersonate)?,
                None => HeaderMap::new(),
            },
        })
    }

    async fn send_with(
        &self,
        credential: &Credential,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, TransportError> {
        let client = self.pool.client(credential.identity.as_ref()).await;
        let (client, lease) = client.map_err(TransportError::credentials)?;
        let request = self.outgoing(credential, request)?;
        let response = client.request(request).await.map_err(of_request)?;
        Ok(response.map(|incoming| {
            let body = ResponseBody {
                incoming,
                _lease: lease,
            };
            body.boxed()
        }))
    }

    async fn upgrade_with(&self, credential: &Credential, request: Request<Bytes>) -> Result<Upgrade, TransportError> {
        let connector = self.pool.http1_connector(credential.identity.as_ref()).await;
        let connector = connector.map_err(TransportError::credentials)?;
        let mut request = self.outgoing(credential, request)?;
        if let Some(authority) = request.uri().authority() {
            let host = HeaderValue::from_str(authority.as_str()).map_err(TransportError::unsendable)?;
            request.headers_mut().insert(HOST, host);
        }
        // What follows the scheme and host: the server is not a proxy.
        let target = request.uri().path_and_query().cloned();
        *request.uri_mut() = target.map(Uri::from).unwrap_or_default();
        let connection = connector.connect().await.map_err(of_connect)?;
        upgrade_on(connection, request).await
    }

    /// Other credentials than those that the server answered with 401, where there are any.
    async fn newer_than(&self, credential: &Credential) -> Option<Credential> {
        self.credentials.reject(credential).await;
        match self.credentials.get().await {
            Ok(newer) => Some(newer).filter(|newer| newer != credential),
            Err(error) => {
                tracing::warn!(%error, "no newer credentials after the server answered 401");
                None
            }
        }
    }

    fn outgoing(
        &self,
        credential: &Credential,
        request: Request<Bytes>,
    ) -> Result<Request<Full<Bytes>>, TransportError> {
        let mut request = request.map(Full::new);
        *request.uri_mut() = self.url(request.uri())?;
        let headers = request.headers_mut();
        if let Some(authorization) = &credential.authorization {
            headers.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
        for (name, value) in &self.headers {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        if !headers.contains_key(IMPERSONATE_USER) {
            for (name, value) in &self.impersonate {
                headers.append(name, value.clone());
            }
        }
        Ok(request)
    }

    /// The whole URL for a path and query.
    fn url(&self, target: &Uri) -> Result<Uri, TransportError> {
        let mut parts = self.base.clone().into_parts();
        let target = target.path_and_query();
        parts.path_and_query = match (self.base.path(), target) {
            ("/", target) => target.cloned(),
            (prefix, target) => {
                let target = target.map_or("", PathAndQuery::as_str);
                let target = [prefix, target].concat().parse();
                Some(target.map_err(TransportError::unsendable)?)
            }
        };
        Uri::from_parts(parts).map_err(TransportError::unsendable)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let credential = self.credentials.get().await.map_err(TransportError::credentials)?;
        if !self.credentials.can_be_renewed() || request.headers().contains_key(AUTHORIZATION) {
            return self.send_with(&credential, request).await;
        }
        let response = self.send_with(&credential, request.clone()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        // The server turned the request away unseen: with newer credentials it may go out once more.
        match self.newer_than(&credential).await {
            Some(newer) => self.send_with(&newer, request).await,
            None => Ok(response),
        }
    }

    async fn upgrade(&self, request: Request<()>) -> Result<Upgrade, TransportError> {
        let request = request.map(|()| Bytes::new());
        let credential = self.credentials.get().await.map_err(TransportError::credentials)?;
        let answer = self.upgrade_with(&credential, request.clone()).await?;
        match &answer {
            Upgrade::Refused(response)
                if response.status() == StatusCode::UNAUTHORIZED && self.credentials.can_be_renewed() => {}
            _ => return Ok(answer),
        }
        match self.newer_than(&credential).await {
            Some(newer) => self.upgrade_with(&newer, request).await,
            None => Ok(answer),
        }
    }
}

/// The data of a body; trailers are dropped.
struct ResponseBody {
    incoming: Incoming,
    /// The request counts as under way until its body is dropped.
    _lease: Lease,
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = ready!(Pin::new(&mut self.incoming).poll_frame(context));
            match frame.map(|frame| frame.map(|frame| frame.into_data())) {
                None => return Poll::Ready(None),
                Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
                Some(Ok(Err(_trailers))) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(TransportError::body(error)))),
            }
        }
    }
}

/// Sends a request to change the protocol over a connection of its own. No task is left behind: the connection makes
/// progress only within this future, and afterwards it is the caller's.
async fn upgrade_on(connection: Connection, request: Request<Full<Bytes>>) -> Result<Upgrade, TransportError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(connection))
        .await
        .map_err(TransportError::request)?;
    let answer = pin!(async move {
        let mut response = sender.send_request(request).await.map_err(TransportError::request)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let connection = hyper::upgrade::on(&mut response)
                .await
                .map_err(TransportError::request)?;
            let (head, _) = response.into_parts();
            return Ok(Upgrade::Switched {
                head,
                connection: Box::new(TokioIo::new(connection)),
            });
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(TransportError::body)?.to_bytes();
        let body = stream::once(std::future::ready(Ok(body))).boxed();
        Ok(Upgrade::Refused(Response::from_parts(head, body)))
    });
    match select(answer, pin!(connection.with_upgrades())).await {
        Either::Left((answer, _)) => answer,
        // The connection has done its part, or is broken: either way the answer is known.
        Either::Right((_, answer)) => answer.await,
    }
}

fn of_request(error: legacy::Error) -> TransportError {
    if error.is_connect() {
        of_connect(error.into())
    } else if is_unprocessed(&error) {
        TransportError::unprocessed(error)
    } else {
        TransportError::request(error)
    }
}

fn of_connect(error: BoxError) -> TransportError {
    match tls_error(&*error) {
        Some(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)) => {
            TransportError::tls(NoCommonTls(error))
        }
        Some(_) => TransportError::tls(error),
        None => TransportError::connect(error),
    }
}

/// True where the server said that it will do nothing about the request: it is about to end the connection, or has too
/// many streams (RFC 9113, 8.7).
fn is_unprocessed(error: &(dyn StdError + 'static)) -> bool {
    match error.downcast_ref::<h2::Error>() {
        Some(error) if error.is_go_away() => error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR),
        Some(error) => error.is_remote() && error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM),
        None => error.source().is_some_and(is_unprocessed),
    }
}

/// What TLS itself says, where it is to blame.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(error) = error.downcast_ref() {
        return Some(error);
    }
    // An io::Error does not count what it wraps as its source.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match wrapped {
        Some(wrapped) => tls_error(wrapped),
        None => tls_error(error.source()?),
    }
}

/// Says why, which TLS itself does not.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server knows none of the ciphers, key exchanges and kinds of certificates that our crypto provider does \
     (ring, the default, has no P-521 keys and no RSA keys of less than 2048 bits)"
)]
struct NoCommonTls(#[source] BoxError);

const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
const IMPERSONATE_UID: HeaderName = HeaderName::from_static("impersonate-uid");
const IMPERSONATE_GROUP: HeaderName = HeaderName::from_static("impersonate-group");

/// What a key of `extra` may hold without being percent-encoded: the characters of a header name, but for `%`.
const EXTRA_KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

fn impersonate_headers(impersonate: &Impersonate) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    headers.append(IMPERSONATE_USER, header_value("as", &impersonate.user)?);
    if let Some(uid) = &impersonate.uid {
        headers.append(IMPERSONATE_UID, header_value("as-uid", uid)?);
    }
    for group in &impersonate.groups {
        headers.append(IMPERSONATE_GROUP, header_value("as-groups", group)?);
    }
    for (key, values) in &impersonate.extra {
        let name = format!(
            "impersonate-extra-{}",
            utf8_percent_encode(&key.to_lowercase(), EXTRA_KEY)
        );
        let name = HeaderName::try_from(name)
            .map_err(|_| ConfigError::invalid("as-user-extra", None, format!("{key:?} cannot be a header name")))?;
        for text in values {
            headers.append(name.clone(), header_value("as-user-extra", text)?);
        }
    }
    Ok(headers)
}

fn header_value(field: &'static str, value: &str) -> Result<HeaderValue, ConfigError> {
    HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| ConfigError::invalid(field, None, "holds characters that a header cannot have"))
}
