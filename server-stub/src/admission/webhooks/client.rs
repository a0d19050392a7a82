//! How webhooks are reached: by URL or by a service, over TLS with their own authorities.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::Scheme;
use http::{Method, StatusCode, Uri};
use http_body_util::{BodyExt, Collected, Limited};
use parking_lot::Mutex;
use serde_json::Value;

use super::Webhook;
use super::call::CallError;
use crate::aggregator::ServiceResolver;
use crate::field_error::quote;
use crate::generic::request::{Request, ResponseBody, full};
use crate::proxy::{self, DirectDialer, ProxyError, ProxyTls, ProxyTransport, Trust, server_url};

/// Longest answer that is read.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// So much of an answer without a `Status` is shown.
const MOST_WORDS: usize = 2048;

/// How many pools of connections are kept, at most; a new one beyond that makes all old ones go.
const MOST_POOLS: usize = 100;

/// Pools of connections, one for each way to trust.
#[derive(Default)]
pub(super) struct Clients(Mutex<HashMap<Trusted, ProxyTransport>>);

/// The authorities of a webhook, and the name that its certificate has to be for where it is not the host.
type Trusted = (Option<Vec<u8>>, Option<String>);

/// Where a webhook is.
pub(super) struct Endpoint {
    /// As messages show it.
    shown: String,
    /// As it is dialled.
    url: Uri,
    transport: ProxyTransport,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clients({})", self.0.lock().len())
    }
}

impl Clients {
    /// Finds out where a webhook is.
    pub(super) fn endpoint(&self, webhook: &Webhook, services: &ServiceResolver) -> Result<Endpoint, CallError> {
        let config = &webhook.client;
        let no_client = |why: String| CallError::Failed(format!("could not get REST client: {why}"));
        let timeout = format!("timeout={}s", webhook.timeout.as_secs());
        let authorities = config.ca_bundle.as_ref().map(|bundle| bundle.0.clone());
        let (shown, url, server_name) = match (&config.url, &config.service) {
            (Some(url), _) => {
                let url: Uri = url
                    .parse()
                    .map_err(|error: http::uri::InvalidUri| no_client(error.to_string()))?;
                let path = format!("{}?{timeout}", clean(url.path()));
                let (host, port) = (url.host().unwrap_or_default(), url.port_u16());
                let shown = format!(
                    "https://{}{path}",
                    url.authority().map_or(host, |authority| authority.as_str())
                );
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let url = server_url(Scheme::HTTPS, host, port.unwrap_or(443), &path);
                (shown, url.map_err(|error| no_client(error.to_string()))?, None)
            }
            (None, Some(service)) => {
                let port = service.port.unwrap_or(443);
                let name = format!("{}.{}.svc", service.name, service.namespace);
                let path = format!("{}?{timeout}", clean(service.path.as_deref().unwrap_or_default()));
                let shown = format!("https://{name}:{port}{path}");
                let resolved = services.resolve(&service.namespace, &service.name, port);
                let (host, port) =
                    resolved.map_err(|error| failed_to_call(&shown, &unresolved(&service.name, port, &error)))?;
                let url = server_url(Scheme::HTTPS, &host, port, &path);
                (shown, url.map_err(|error| no_client(error.to_string()))?, Some(name))
            }
            (None, None) => {
                return Err(no_client(
                    "webhook configuration must have either service or URL".to_owned(),
                ));
            }
        };
        let transport = self
            .transport((authorities, server_name))
            .map_err(|error| no_client(error.to_string()))?;
        Ok(Endpoint { shown, url, transport })
    }

    fn transport(&self, trusted: Trusted) -> Result<ProxyTransport, crate::proxy::ProxyTlsError> {
        let mut pools = self.0.lock();
        if let Some(transport) = pools.get(&trusted) {
            return Ok(transport.clone());
        }
        let (authorities, server_name) = &trusted;
        let trust = authorities.clone().map_or(Trust::System, Trust::Bundle);
        let mut tls = ProxyTls::new(&trust, None)?;
        if let Some(name) = server_name {
            tls = tls.with_server_name(name)?;
        }
        let transport = ProxyTransport::new(std::sync::Arc::new(DirectDialer), tls);
        if pools.len() >= MOST_POOLS {
            pools.clear();
        }
        pools.insert(trusted, transport.clone());
        Ok(transport)
    }
}

impl Endpoint {
    /// Posts a review and returns the body of the answer.
    pub(super) async fn post(self, timeout: Duration, review: Vec<u8>) -> Result<Bytes, CallError> {
        let mut request = Request::new(full(review));
        *request.method_mut() = Method::POST;
        for (name, value) in [
            (CONTENT_TYPE, "application/json"),
            (ACCEPT, "application/json, */*"),
            (USER_AGENT, "kube-apiserver-admission"),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let exchange = async {
            let answer = proxy::forward(request, self.url.clone(), &self.transport)
                .await
                .map_err(|error| match error {
                    ProxyError::Unreachable(why) => in_go(&why),
                    other => other.to_string(),
                })?;
            let (head, body) = answer.into_parts();
            Ok((head.status, head.headers, read(body).await?))
        };
        let (status, headers, body) = match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer.map_err(|why: String| failed_to_call(&self.shown, &why))?,
            Err(_) => return Err(failed_to_call(&self.shown, "context deadline exceeded")),
        };
        let failed = |why: String| Err(CallError::Failed(format!("failed to call webhook: {why}")));
        if !status.is_success() {
            return failed(refusal(status, &headers, &body));
        }
        if body.is_empty() {
            let kind = media_type(&headers);
            let status = status.as_u16();
            return failed(format!(
                "0-length response with status code: {status} and content type: {kind}"
            ));
        }
        Ok(body)
    }
}

/// What client-go makes of an answer that is none: the message of a `Status`, or one for the code.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    if told["kind"] == "Status" && told["status"] != "Success" {
        return told["message"].as_str().unwrap_or_default().to_owned();
    }
    let media_type = media_type(headers);
    let text = match media_type.is_empty() || media_type.starts_with("text/") {
        true => String::from_utf8_lossy(body.get(..MOST_WORDS).unwrap_or(body))
            .trim()
            .to_owned(),
        false => "unknown".to_owned(),
    };
    match status {
        StatusCode::BAD_REQUEST => "the server rejected our request for an unknown reason".to_owned(),
        StatusCode::UNAUTHORIZED => "the server has asked for the client to provide credentials".to_owned(),
        StatusCode::FORBIDDEN => text,
        StatusCode::NOT_FOUND => "the server could not find the requested resource".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => "the server does not allow this method on the requested resource".to_owned(),
        StatusCode::CONFLICT => "the server reported a conflict".to_owned(),
        StatusCode::TOO_MANY_REQUESTS => {
            "the server has received too many requests and has asked us to try again later".to_owned()
        }
        StatusCode::SERVICE_UNAVAILABLE => "the server is currently unable to handle the request".to_owned(),
        StatusCode::GATEWAY_TIMEOUT => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
                .to_owned()
        }
        status if status.is_server_error() => {
            let text = quote(&text);
            format!("an error on the server ({text}) has prevented the request from succeeding")
        }
        status => {
            let status = status.as_u16();
            format!("the server responded with the status code {status} but did not return more information")
        }
    }
}

fn media_type(headers: &HeaderMap) -> &str {
    let header = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    header.unwrap_or_default()
}

/// A path from the root, as Go's `path.Clean` leaves it.
fn clean(path: &str) -> String {
    let mut pieces: Vec<&str> = Vec::new();
    for piece in path.split('/') {
        match piece {
            "" | "." => {}
            ".." => drop(pieces.pop()),
            piece => pieces.push(piece),
        }
    }
    format!("/{}", pieces.join("/"))
}

/// The whole body, if it is not too long.
fn read(body: ResponseBody) -> BoxFuture<'static, Result<Bytes, String>> {
    let body = Limited::new(body, ANSWER_LIMIT).collect();
    body.map(|body| body.map(Collected::to_bytes).map_err(|error| error.to_string()))
        .boxed()
}

fn failed_to_call(url: &str, why: &str) -> CallError {
    CallError::Failed(format!("failed to call webhook: Post {url:?}: {why}"))
}

fn unresolved(service: &str, port: i32, error: &crate::aggregator::Unresolved) -> String {
    match error.reason {
        "ServiceNotFound" => format!("service {service:?} not found"),
        "EndpointsNotFound" | "MissingEndpoints" => format!("no endpoints available for service {service:?}"),
        "ServicePortError" => format!("no service port {port} found for service {service:?}"),
        _ => error.message.clone(),
    }
}

/// What Go says about certificates that cannot be believed.
fn in_go(why: &str) -> String {
    let reason = match why {
        why if why.contains("UnknownIssuer") => "certificate signed by unknown authority",
        why if why.contains("not valid for name") => "certificate is not valid for the name of the server",
        why if why.contains("Expired") => "certificate has expired or is not yet valid",
        _ => return why.to_owned(),
    };
    format!("tls: failed to verify certificate: x509: {reason}")
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_are_clean() {
        for (path, expected) in [
            ("", "/"),
            ("//a", "/a"),
            ("/a/b/", "/a/b"),
            ("a/./../c", "/c"),
            ("/..", "/"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
