//! `/statusz` and `/flagz`, for people who look into the server, and `/debug/flags/v`, which changes how much it logs.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;

use super::clock::Clock;
use super::delegation::{Handler, text};
use super::request::{Request, Response};
use super::version;

const WARNING: &str = "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility \
                       guarantees and is for debugging purposes only.";

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

/// Serves `/statusz`.
pub(super) struct Statusz {
    pub(super) started: Timestamp,
    pub(super) clock: Clock,
    pub(super) paths: Vec<String>,
}

#[async_trait]
impl Handler for Statusz {
    async fn handle(&self, _: Request) -> Response {
        let up = self.clock.now().as_second() - self.started.as_second();
        let (hours, minutes, seconds) = (up / 3600, up / 60 % 60, up % 60);
        let version = version::GIT_VERSION.trim_start_matches('v');
        let emulated = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
        let page = format!(
            "\napiserver statusz\n{WARNING}\n\nStarted: {}\nUp: {hours} hr {minutes:02} min {seconds:02} sec\nBinary \
             version: {version}\nEmulation version: {emulated}\nPaths: {}\n",
            self.started.strftime("%a %b %e %H:%M:%S UTC %Y"),
            self.paths.join(" ")
        );
        text(StatusCode::OK, page)
    }
}

/// Serves `/flagz`.
pub(super) struct Flagz {
    pub(super) flags: Vec<(String, String)>,
}

#[async_trait]
impl Handler for Flagz {
    async fn handle(&self, _: Request) -> Response {
        let mut page = format!("\napiserver flagz\n{WARNING}\n\n");
        for (name, value) in &self.flags {
            page.push_str(&format!("{name}={value}\n"));
        }
        text(StatusCode::OK, page)
    }
}

/// Serves `/debug/flags/v`: a number that is put there is the verbosity from then on.
pub(super) struct VerbosityFlag(pub(super) LogLevel);

#[async_trait]
impl Handler for VerbosityFlag {
    async fn handle(&self, request: Request) -> Response {
        if request.method() != Method::PUT {
            return text(StatusCode::NOT_ACCEPTABLE, "unsupported http method\n");
        }
        let body = Limited::new(request.into_body(), 32).collect();
        let body: BoxFuture<'static, Option<Bytes>> = body.map(|body| Some(body.ok()?.to_bytes())).boxed();
        let body = body.await.unwrap_or_default();
        let value = String::from_utf8_lossy(&body);
        let set = value
            .trim()
            .parse()
            .map_err(|_| format!("strconv.ParseInt: parsing {value:?}: invalid syntax"))
            .and_then(|level| self.0.0(level));
        match set {
            Ok(()) => text(
                StatusCode::OK,
                format!("successfully set klog.logging.verbosity to {}", value.trim()),
            ),
            Err(why) => text(
                StatusCode::BAD_REQUEST,
                format!("failed set klog.logging.verbosity {value}: {why}"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::request::full;
    use parking_lot::Mutex;

    async fn ask(handler: &dyn Handler, method: Method, body: &str) -> (u16, String) {
        let mut request = Request::new(full(body.to_owned()));
        *request.method_mut() = method;
        let response = handler.handle(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn pages_say_what_runs_and_how() {
        let started: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let statusz = Statusz {
            started,
            clock: Clock::fixed("2026-01-02T05:05:06Z".parse().unwrap()),
            paths: vec!["/livez".to_owned(), "/readyz".to_owned()],
        };
        let (_, page) = ask(&statusz, Method::GET, "").await;
        assert!(
            page.starts_with("\napiserver statusz\nWarning: This endpoint is not meant"),
            "{page}"
        );
        assert!(
            page.contains("Up: 2 hr 01 min 01 sec\n") && page.ends_with("Paths: /livez /readyz\n"),
            "{page}"
        );
        let flagz = Flagz {
            flags: vec![("secure-port".to_owned(), "6443".to_owned())],
        };
        let (_, page) = ask(&flagz, Method::GET, "").await;
        assert!(page.ends_with("\nsecure-port=6443\n"), "{page}");
    }

    #[tokio::test]
    async fn the_verbosity_can_be_set() {
        let set: Arc<Mutex<Vec<i64>>> = Arc::default();
        let levels = set.clone();
        let flag = VerbosityFlag(LogLevel::new(move |level| {
            levels.lock().push(level);
            Ok(())
        }));
        let answer = ask(&flag, Method::PUT, "4").await;
        assert_eq!(answer, (200, "successfully set klog.logging.verbosity to 4".to_owned()));
        assert_eq!(ask(&flag, Method::PUT, "much").await.0, 400);
        assert_eq!(ask(&flag, Method::GET, "").await.0, 406);
        assert_eq!(*set.lock(), [4]);
    }
}
