//! The transport over the network.

use std::error::Error as StdError;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use rustls::AlertDescription;

use super::pool::{Lease, Pool};
use super::{Body, Transport, TransportError, Upgrade};
use crate::config::credentials::{Credential, CredentialSource};
use crate::config::{Config, ConfigError, Impersonate};

/// Pooled HTTP/2, or HTTP/1.1 where the server knows no better.
pub(super) struct HttpTransport {
    /// Scheme, host, port and path prefix; the host is the certificate's name where `tls-server-name` is set.
    base: Url,
    pool: Pool,
    credentials: CredentialSource,
    /// Headers of every request that does not set them itself.
    headers: HeaderMap,
}

impl HttpTransport {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut base = config.base_url()?;
        let pool = Pool::new(config, &base)?;
        if let (Some(name), "https") = (config.host_alias(), base.scheme()) {
            set_server_name(&mut base, name)?;
        }
        Ok(Self {
            base,
            pool,
            credentials: CredentialSource::new(&config.credentials)?,
            headers: match &config.impersonate {
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
        let (client, lease) = self
            .pool
            .client(credential.identity.as_ref())
            .await
            .map_err(TransportError::credentials)?;
        let request = self.outgoing(credential, request);
        let response = client.execute(request).await.map_err(of_request)?;
        Ok(incoming(response, lease))
    }

    async fn upgrade_with(&self, credential: &Credential, request: Request<Bytes>) -> Result<Upgrade, TransportError> {
        let client = self.pool.upgrade_client(credential.identity.as_ref()).await;
        let client = client.map_err(TransportError::credentials)?;
        let request = self.outgoing(credential, request);
        let response = client.execute(request).await.map_err(of_request)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Upgrade::Refused(incoming(response, Lease::default())));
        }
        let mut head = Response::new(());
        *head.status_mut() = response.status();
        *head.headers_mut() = response.headers().clone();
        let connection = response.upgrade().await.map_err(of_request)?;
        Ok(Upgrade::Switched {
            head: head.into_parts().0,
            connection: Box::new(connection),
        })
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

    fn outgoing(&self, credential: &Credential, request: Request<Bytes>) -> reqwest::Request {
        let (head, body) = request.into_parts();
        let mut url = self.base.clone();
        match self.base.path() {
            "/" => url.set_path(head.uri.path()),
            prefix => url.set_path(&[prefix, head.uri.path()].concat()),
        }
        url.set_query(head.uri.query());

        let mut outgoing = reqwest::Request::new(head.method, url);
        let headers = outgoing.headers_mut();
        *headers = head.headers;
        if let Some(authorization) = &credential.authorization {
            headers.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
        if !headers.contains_key(IMPERSONATE_USER) {
            for (name, value) in &self.headers {
                headers.append(name, value.clone());
            }
        }
        if !body.is_empty() {
            *outgoing.body_mut() = Some(body.into());
        }
        outgoing
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

fn incoming(mut response: reqwest::Response, lease: Lease) -> Response<Body> {
    let mut incoming = Response::new(());
    *incoming.status_mut() = response.status();
    *incoming.version_mut() = response.version();
    *incoming.headers_mut() = std::mem::take(response.headers_mut());
    let body = response.bytes_stream().map(move |chunk| {
        // The request counts as under way until its body is dropped.
        let _ = &lease;
        chunk.map_err(|error| TransportError::body(error.without_url()))
    });
    incoming.map(|()| body.boxed())
}

fn of_request(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_connect() {
        match tls_error(&error) {
            Some(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)) => {
                TransportError::tls(NoCommonTls(error))
            }
            Some(_) => TransportError::tls(error),
            None => TransportError::connect(error),
        }
    } else if error.is_timeout() {
        TransportError::timeout(error)
    } else {
        TransportError::request(error)
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
struct NoCommonTls(#[source] reqwest::Error);

fn set_server_name(base: &mut Url, name: &str) -> Result<(), ConfigError> {
    let invalid = || ConfigError::invalid("tls-server-name", None, format!("{name:?} is not a DNS name"));
    base.set_host(Some(name)).map_err(|_| invalid())?;
    match base.domain() {
        Some(domain) if domain.eq_ignore_ascii_case(name) => Ok(()),
        _ => Err(invalid()),
    }
}

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
    let value = |field: &'static str, value: &str| {
        HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| ConfigError::invalid(field, None, "holds characters that a header cannot have"))
    };
    headers.append(IMPERSONATE_USER, value("as", &impersonate.user)?);
    if let Some(uid) = &impersonate.uid {
        headers.append(IMPERSONATE_UID, value("as-uid", uid)?);
    }
    for group in &impersonate.groups {
        headers.append(IMPERSONATE_GROUP, value("as-groups", group)?);
    }
    for (key, values) in &impersonate.extra {
        let name = format!(
            "impersonate-extra-{}",
            utf8_percent_encode(&key.to_lowercase(), EXTRA_KEY)
        );
        let name = HeaderName::try_from(name)
            .map_err(|_| ConfigError::invalid("as-user-extra", None, format!("{key:?} cannot be a header name")))?;
        for text in values {
            headers.append(name.clone(), value("as-user-extra", text)?);
        }
    }
    Ok(headers)
}
