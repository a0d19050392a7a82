//! `/metrics`: what this server counts, in the text format of Prometheus.
//!
//! Names, labels and buckets are those of kube-apiserver. Counting takes no lock that anybody waits for: a set of
//! labels is looked up once, what belongs to it is counted by atomics.

mod access;
mod clients;
mod family;
mod histogram;
mod process;
mod requests;
mod streams;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use kubewire_informers::WorkQueue;
use kubewire_informers::workqueue::{self, default_rate_limiter};
use parking_lot::Mutex;

use self::access::Access;
use self::clients::{Clients, LoopbackMetrics, Queues};
use self::requests::Requests;
pub(crate) use self::requests::{LongRunning, RequestLabels};
use self::streams::Streams;
pub(crate) use self::streams::{Operation, StorageSeries, WatchSeries};
pub(crate) use self::text::Exposition;
use super::delegation::{Handler, text};
use super::request::{Request, Response};
use super::{respond, version};

/// The server's counters.
#[derive(Default)]
pub struct Metrics {
    requests: Requests,
    streams: Streams,
    access: Access,
    clients: Arc<Clients>,
    queues: Arc<Queues>,
    read_only: Watermark,
    mutating: Watermark,
    /// What other parts know when they are asked.
    sources: Mutex<Vec<Source>>,
}

/// Shows what is not counted, but known.
type Source = Box<dyn Fn(&mut Exposition) + Send + Sync>;

/// How many there are, and how many there were at most in the last second.
#[derive(Default)]
struct Watermark {
    now: AtomicI64,
    highest: AtomicI64,
    shown: AtomicI64,
}

impl Metrics {
    /// Counts an answered request.
    pub(crate) fn record(&self, labels: &RequestLabels, code: u16, elapsed: Duration, size: u64) {
        self.requests.record(labels, code, elapsed, size);
    }

    /// Counts a watch or stream as open until the guard is dropped.
    pub(crate) fn long_running(&self, labels: &RequestLabels) -> LongRunning {
        self.requests.long_running(labels)
    }

    /// Counts a request that was given up: for lack of time (504) or because there are too many (429).
    pub(crate) fn terminated(&self, labels: &RequestLabels, code: u16) {
        self.requests.terminated(labels, code);
    }

    /// Counts a request whose client went away before there was an answer.
    pub(crate) fn aborted(&self, labels: &RequestLabels) {
        self.requests.aborted(labels);
    }

    /// Counts an attempt to find out who sends a request: `success`, `failure` or `error`.
    pub(crate) fn authenticated(&self, result: &str, user: Option<&str>, took: Duration) {
        self.access.authenticated(result, user, took);
    }

    /// Counts a decision: `allowed`, `denied` or `no-opinion`.
    pub(crate) fn authorized(&self, result: &str, took: Duration) {
        self.access.authorized(result, took);
    }

    /// Counts the requests of a client to this host.
    pub(crate) fn of_client(&self, host: &str) -> Arc<LoopbackMetrics> {
        Arc::new(LoopbackMetrics {
            clients: self.clients.clone(),
            host: host.to_owned(),
        })
    }

    /// A queue that is counted.
    pub(crate) fn work_queue<T: workqueue::Item>(&self, name: &str) -> WorkQueue<T> {
        self.queues.add(name);
        WorkQueue::with_metrics(name, default_rate_limiter(), self.queues.clone())
    }

    /// Counts the events of watches of a resource.
    pub(crate) fn watch(&self, group: &str, version: &str, resource: &str) -> Arc<WatchSeries> {
        self.streams.watch(group, version, resource)
    }

    /// Counts what is asked of storage for a resource.
    pub(crate) fn storage(&self, group: &str, resource: &str) -> StorageSeries {
        self.streams.storage(group, resource)
    }

    /// Shows more whenever somebody looks.
    pub(crate) fn add_source(&self, source: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        self.sources.lock().push(Box::new(source));
    }

    /// Counts a request as under way until the guard is dropped.
    pub(crate) fn in_flight(&self, mutating: bool) -> InFlight<'_> {
        let watermark = if mutating { &self.mutating } else { &self.read_only };
        let now = watermark.now.fetch_add(1, Ordering::Relaxed) + 1;
        watermark.highest.fetch_max(now, Ordering::Relaxed);
        InFlight(watermark)
    }

    /// The highest numbers of requests under way are those of the time since this was last called.
    pub(crate) fn next_second(&self) {
        for watermark in [&self.read_only, &self.mutating] {
            let now = watermark.now.load(Ordering::Relaxed);
            let highest = watermark.highest.swap(now, Ordering::Relaxed);
            watermark.shown.store(highest, Ordering::Relaxed);
        }
    }

    fn reset(&self) {
        self.requests.reset();
        self.streams.reset();
        self.access.reset();
        self.clients.reset();
        self.queues.reset();
    }

    pub(crate) fn render(&self, started: Timestamp) -> String {
        let mut shown = Exposition::default();
        let mut writer = shown.gauge(
            "apiserver_current_inflight_requests",
            "[STABLE] Requests under way at most in the last second by kind, watches and streams not counted.",
        );
        for (kind, watermark) in [("mutating", &self.mutating), ("readOnly", &self.read_only)] {
            writer.sample([("request_kind", kind)], watermark.shown.load(Ordering::Relaxed));
        }
        self.requests.show(&mut shown);
        self.streams.show(&mut shown);
        self.access.show(&mut shown);
        self.clients.show(&mut shown);
        self.queues.show(&mut shown);
        let info = version::info();
        let field = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
        let names = [
            ("build_date", "buildDate"),
            ("compiler", "compiler"),
            ("git_commit", "gitCommit"),
            ("git_tree_state", "gitTreeState"),
            ("git_version", "gitVersion"),
            ("go_version", "goVersion"),
            ("major", "major"),
            ("minor", "minor"),
            ("platform", "platform"),
        ];
        let labels = names.map(|(label, name)| (label, field(name)));
        let mut writer = shown.gauge(
            "kubernetes_build_info",
            "[BETA] Always 1; the labels say which version runs.",
        );
        writer.sample(labels.iter().map(|(label, value)| (*label, &**value)), 1);
        for source in &*self.sources.lock() {
            source(&mut shown);
        }
        process::show(&mut shown, started);
        shown.into_text()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// A request under way.
pub(crate) struct InFlight<'a>(&'a Watermark);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves `/metrics`; DELETE begins again at zero where that is allowed.
pub(crate) struct MetricsHandler {
    pub(super) metrics: Arc<Metrics>,
    pub(super) may_reset: bool,
    pub(super) started: Timestamp,
}

#[async_trait]
impl Handler for MetricsHandler {
    async fn handle(&self, request: Request) -> Response {
        if request.method() == Method::DELETE && self.may_reset {
            self.metrics.reset();
            return text(StatusCode::OK, "metrics reset\n");
        }
        let media_type = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
        let body = self.metrics.render(self.started);
        respond::bytes(StatusCode::OK, media_type, Bytes::from(body))
    }
}

#[cfg(test)]
mod tests;
