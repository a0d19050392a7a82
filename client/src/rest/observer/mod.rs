//! What a program can see of the exchanges with the server: spans with OpenTelemetry's names, and figures.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use percent_encoding::percent_decode_str;
use tokio::time::Instant;
use tracing::Instrument;
use tracing::field::{Empty, display};

use super::metrics::ClientMetrics;
use super::request::Request;
use crate::config::Config;
use crate::transport::TransportError;

/// Query parameters of the API itself. The value of any other, as the command of an exec or what is passed on to a
/// pod, may be a secret.
const SHOWN: [&str; 31] = [
    "allowWatchBookmarks",
    "container",
    "continue",
    "dryRun",
    "fieldManager",
    "fieldSelector",
    "fieldValidation",
    "follow",
    "force",
    "includeObject",
    "insecureSkipTLSVerifyBackend",
    "labelSelector",
    "limit",
    "limitBytes",
    "ports",
    "pretty",
    "previous",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "sinceSeconds",
    "sinceTime",
    "stderr",
    "stdin",
    "stdout",
    "tailLines",
    "timeout",
    "timeoutSeconds",
    "timestamps",
    "tty",
    "watch",
];

pub(super) struct Observer {
    /// Where the server is, unless the transport alone knows.
    server: Option<Uri>,
    pub(super) metrics: Option<Arc<dyn ClientMetrics>>,
}

impl Observer {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            server: config.base_url().ok(),
            metrics: config.metrics.clone(),
        }
    }

    /// One exchange: `sending` ends with the head of the answer, `code` tells its status. `resends` counts those
    /// before it for the same request.
    pub(super) async fn exchange<T>(
        &self,
        request: &Request,
        resends: u32,
        sending: impl Future<Output = Result<T, TransportError>>,
        code: impl Fn(&T) -> u16,
    ) -> Result<T, TransportError> {
        let server = self.server.as_ref();
        let method = request.verb.method();
        let resource = request.resource.as_ref().map(|resource| &*resource.resource);
        let span = tracing::debug_span!(
            "request",
            otel.kind = "client",
            otel.name = %format_args!("{method}{}{}", if resource.is_some() { " " } else { "" }, resource.unwrap_or_default()),
            http.request.method = %method,
            http.request.resend_count = (resends > 0).then_some(resends),
            url.full = %FullUrl { server, request },
            server.address = server.and_then(Uri::host),
            server.port = server.map(port),
            http.response.status_code = Empty,
            error.type = Empty,
        );
        let start = Instant::now();
        let answer = sending.instrument(span.clone()).await;
        let code = answer.as_ref().map(code);
        match &code {
            Ok(code) => {
                span.record("http.response.status_code", code);
                if *code >= 400 {
                    span.record("error.type", display(code));
                }
            }
            Err(error) => {
                span.record("error.type", error.type_name());
            }
        }
        if let Some(metrics) = &self.metrics {
            metrics.answered(request.verb, code.ok(), start.elapsed());
        }
        answer
    }
}

impl Request {
    /// Path and query, without what may be secret.
    pub(crate) fn shown_url(&self) -> String {
        let url = FullUrl {
            server: None,
            request: self,
        };
        url.to_string()
    }
}

/// The URL of a request without secrets; a path where the transport alone knows the server.
struct FullUrl<'a> {
    server: Option<&'a Uri>,
    request: &'a Request,
}

impl fmt::Display for FullUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, request } = self;
        if let Some(server) = server {
            f.write_str(server.to_string().trim_end_matches('/'))?;
        }
        // The path of a proxied request may have a query of its own.
        let (path, more) = request.path.split_once('?').unwrap_or((&request.path, ""));
        f.write_str(path)?;
        let query = request.query.trim_start_matches('?');
        let parameters = more.split('&').chain(query.split('&'));
        let mut mark = '?';
        for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let is_shown = percent_decode_str(name)
                .decode_utf8()
                .is_ok_and(|name| SHOWN.contains(&&*name));
            write!(f, "{mark}{name}={}", if is_shown { value } else { "REDACTED" })?;
            mark = '&';
        }
        Ok(())
    }
}

fn port(server: &Uri) -> u16 {
    let default = if server.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    server.port_u16().unwrap_or(default)
}

#[cfg(test)]
mod tests;
