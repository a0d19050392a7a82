//! `/debug/pprof/`: CPU profiles of this process, in the form that `go tool pprof` reads.
//!
//! Of the profiles that Go's runtime keeps there are no others: `heap` and `allocs` would need an allocator that counts.

mod profile;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use http::{Method, StatusCode};

use self::profile::{Frame, Profile, Sample};
use super::delegation::{Handler, text};
use super::mux::PathRecorderMux;
use super::request::{Request, RequestInfo, Response};
use super::respond;
use crate::endpoints::Query;

const ROOT: &str = "/debug/pprof/";

/// How often a second the stacks are looked at, as in Go.
const FREQUENCY: i32 = 100;
/// How long, where the request does not say.
const DURATION: u64 = 30;
/// At most; whoever asks for more has to ask again.
const LONGEST: u64 = 300;
/// Libraries in which a stack cannot safely be walked.
const NOT_WALKED: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

/// Serves the profiles.
pub(super) fn install(mux: &mut PathRecorderMux) {
    let pprof = Arc::new(Pprof);
    mux.handle_unlisted("/debug/pprof", pprof.clone());
    mux.handle_prefix(ROOT, pprof);
}

struct Pprof;

#[async_trait]
impl Handler for Pprof {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        match info.path.strip_prefix(ROOT) {
            None => redirect(),
            Some("") => respond::bytes(
                StatusCode::OK,
                "text/html; charset=utf-8",
                Bytes::from_static(INDEX.as_bytes()),
            ),
            Some("cmdline") => text(StatusCode::OK, std::env::args().collect::<Vec<_>>().join("\0")),
            // Stacks come with names, so nobody has to ask which address is what.
            Some("symbol") => text(StatusCode::OK, "num_symbols: 0\n"),
            Some("profile") if request.method() == Method::GET => {
                let query = Query::parse(request.uri().query().unwrap_or_default());
                let seconds = query.text("seconds").and_then(|text| text.parse().ok());
                let seconds = seconds.filter(|seconds| *seconds > 0).unwrap_or(DURATION);
                cpu_profile(Duration::from_secs(seconds.min(LONGEST))).await
            }
            Some("heap" | "allocs" | "block" | "mutex" | "goroutine" | "threadcreate" | "trace") => {
                text(StatusCode::NOT_IMPLEMENTED, "this profile is one of Go's runtime\n")
            }
            Some(_) => {
                let mut response = text(StatusCode::NOT_FOUND, "Unknown profile\n");
                let go = HeaderValue::from_static("1");
                response.headers_mut().insert(HeaderName::from_static("x-go-pprof"), go);
                response
            }
        }
    }
}

const INDEX: &str = "<html><head><title>/debug/pprof/</title></head><body>/debug/pprof/<br>\n\
                     <a href=\"profile\">profile</a>: CPU profile; seconds= says for how long (30)<br>\n\
                     <a href=\"cmdline\">cmdline</a>: the command line<br>\n\
                     <a href=\"symbol\">symbol</a>: whether addresses have to be looked up (no)\n</body></html>\n";

fn redirect() -> Response {
    let body = format!("<a href=\"{ROOT}\">Found</a>.\n\n");
    let mut response = respond::bytes(StatusCode::FOUND, "text/html; charset=utf-8", Bytes::from(body));
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(ROOT));
    response
}

async fn cpu_profile(duration: Duration) -> Response {
    match record(duration).await {
        Ok(profile) => {
            let mut response = respond::bytes(StatusCode::OK, "application/octet-stream", profile);
            let headers = response.headers_mut();
            headers.insert(
                CONTENT_DISPOSITION,
                HeaderValue::from_static("attachment; filename=\"profile\""),
            );
            response
        }
        Err(error) => {
            let mut response = text(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("Could not enable CPU profiling: {error}\n"),
            );
            response
                .headers_mut()
                .insert("x-go-pprof", HeaderValue::from_static("1"));
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            response
        }
    }
}

/// Looks at all threads for some time. Cancel safe: profiling ends with the future.
async fn record(duration: Duration) -> Result<Bytes, String> {
    let guard = pprof::ProfilerGuardBuilder::default()
        .frequency(FREQUENCY)
        .blocklist(&NOT_WALKED)
        .build();
    let guard = guard.map_err(|error| match error {
        pprof::Error::Running => "cpu profiling already in use".to_owned(),
        error => error.to_string(),
    })?;
    tokio::time::sleep(duration).await;
    // To find the names of all functions takes a while.
    let profile = tokio::task::spawn_blocking(move || {
        let report = guard.report().build().map_err(|error| error.to_string())?;
        Ok(encode(&report, duration))
    });
    profile.await.map_err(|error| error.to_string())?
}

fn encode(report: &pprof::Report, duration: Duration) -> Bytes {
    let mut profile = Profile::new(duration, i64::from(FREQUENCY));
    for (stack, count) in &report.data {
        let inlined = |symbols: &Vec<pprof::Symbol>| {
            let frame = |symbol: &pprof::Symbol| Frame {
                name: symbol.name(),
                system_name: symbol.sys_name().into_owned(),
                file: symbol.filename().into_owned(),
                line: symbol.lineno(),
            };
            symbols.iter().map(frame).collect()
        };
        let own = stack.frames.iter().rposition(|symbols| is_profiler(symbols));
        let innermost = own.map_or(0, |own| own + 1);
        profile.add(&Sample {
            stack: stack.frames.iter().skip(innermost).map(inlined).collect(),
            count: i64::try_from(*count).unwrap_or_default(),
            thread: stack.thread_name.clone(),
        });
    }
    profile.into_gzip()
}

/// Whether this is a frame of the profiler, down to that by which the C library returns from a signal. Which of them
/// there are depends on how the program was built.
fn is_profiler(symbols: &[pprof::Symbol]) -> bool {
    let own = ["perf_signal_handler", "pprof::backtrace::", "__restore_rt"];
    symbols
        .iter()
        .map(pprof::Symbol::name)
        .any(|name| own.iter().any(|own| name.contains(own)))
}

#[cfg(test)]
mod tests;
