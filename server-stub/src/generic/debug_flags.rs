//! `/debug/flags/v`, which changes how much the server logs, and the page that lists it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};

use super::delegation::Handler;
use super::mux::PathRecorderMux;
use super::request::{Request, Response};
use super::respond;

const PAGE: &str = "<html>\n<head>\n<title>/debug/flags/</title>\n</head>\n<body>\n/debug/flags/<br>\n<br>\n\
                    flags:<br>\n<table>\n<tr>v<br>\n</table>\n<br>\nfull flags configurable<br>\n</body>\n</html>\n";

/// How much is logged can be changed while the server runs.
#[derive(Clone)]
pub struct LogLevel(Arc<dyn Fn(i64) -> Result<(), String> + Send + Sync>);

impl LogLevel {
    /// `set` gets the verbosity, as `-v` has it.
    pub fn new(set: impl Fn(i64) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(set))
    }
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel")
    }
}

/// Serves the flags.
pub(super) fn install(mux: &mut PathRecorderMux, level: LogLevel) {
    mux.handle_unlisted("/debug/flags", Arc::new(Page));
    mux.handle_unlisted("/debug/flags/", Arc::new(Page));
    mux.handle("/debug/flags/v", Arc::new(VerbosityFlag(level)));
}

struct Page;

#[async_trait]
impl Handler for Page {
    async fn handle(&self, _: Request) -> Response {
        respond::bytes(
            StatusCode::OK,
            "text/html; charset=utf-8",
            Bytes::from_static(PAGE.as_bytes()),
        )
    }
}

/// A number that is put here is the verbosity from then on.
struct VerbosityFlag(LogLevel);

#[async_trait]
impl Handler for VerbosityFlag {
    async fn handle(&self, request: Request) -> Response {
        if request.method() != Method::PUT {
            return said(StatusCode::NOT_ACCEPTABLE, "unsupported http method");
        }
        let body = Limited::new(request.into_body(), 32).collect();
        let body: BoxFuture<'static, Option<Bytes>> = body.map(|body| Some(body.ok()?.to_bytes())).boxed();
        let body = body.await.unwrap_or_default();
        let value = String::from_utf8_lossy(&body);
        let level = value.parse::<u32>();
        let set = level
            .map_err(|_| format!("strconv.ParseUint: parsing {value:?}: invalid syntax"))
            .and_then(|level| self.0.0(level.into()));
        match set {
            Ok(()) => said(
                StatusCode::OK,
                &format!("successfully set klog.logging.verbosity to {value}"),
            ),
            Err(why) => said(StatusCode::BAD_REQUEST, &why),
        }
    }
}

fn said(status: StatusCode, text: &str) -> Response {
    let mut response = respond::bytes(status, "text/plain", Bytes::from(format!("{text}\n")));
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::request::full;
    use parking_lot::Mutex;

    #[tokio::test]
    async fn the_verbosity_can_be_set() {
        let set: Arc<Mutex<Vec<i64>>> = Arc::default();
        let levels = set.clone();
        let mut mux = PathRecorderMux::default();
        let level = LogLevel::new(move |level| {
            levels.lock().push(level);
            Ok(())
        });
        install(&mut mux, level);
        let ask = async |path: &str, method: Method, body: &str| {
            let mut request = Request::new(full(body.to_owned()));
            *request.method_mut() = method;
            let response = mux.find(path).unwrap().handle(request).await;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        let v = "/debug/flags/v";
        let done = "successfully set klog.logging.verbosity to 4\n";
        assert_eq!(ask(v, Method::PUT, "4").await, (200, done.to_owned()));
        let wrong = "strconv.ParseUint: parsing \"much\": invalid syntax\n";
        assert_eq!(ask(v, Method::PUT, "much").await, (400, wrong.to_owned()));
        let wrong = "unsupported http method\n";
        assert_eq!(ask(v, Method::GET, "").await, (406, wrong.to_owned()));
        assert_eq!(*set.lock(), [4]);
        assert!(ask("/debug/flags/", Method::GET, "").await.1.contains("<tr>v<br>"));
    }
}
