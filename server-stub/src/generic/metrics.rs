//! `/metrics`: what this server counts, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::delegation::{Handler, text};
use super::request::{Request, RequestInfo, Response};
use super::respond;

/// The server's counters.
pub struct Metrics {
    started: Timestamp,
    requests: Mutex<BTreeMap<RequestLabels, u64>>,
    read_only: AtomicI64,
    mutating: AtomicI64,
    object_counts: Option<ObjectCounts>,
}

/// Tells how many objects of each resource there are.
pub type ObjectCounts = Arc<dyn Fn() -> BTreeMap<String, usize> + Send + Sync>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RequestLabels {
    code: u16,
    group: String,
    resource: String,
    scope: &'static str,
    subresource: String,
    verb: String,
    version: String,
}

/// Clients choose the labels: beyond this many combinations they are counted without resource.
const MOST_LABELS: usize = 4096;

impl Metrics {
    /// Counters of a server that starts now.
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            requests: Mutex::default(),
            read_only: AtomicI64::new(0),
            mutating: AtomicI64::new(0),
            object_counts: None,
        }
    }

    /// Shows how many objects there are, too.
    #[must_use]
    pub fn with_object_counts(mut self, counts: Option<ObjectCounts>) -> Self {
        self.object_counts = counts;
        self
    }

    /// Counts an answered request.
    pub fn count(&self, info: &RequestInfo, code: u16) {
        let verb = match info.verb.as_str() {
            "create" => "POST".to_owned(),
            "update" => "PUT".to_owned(),
            verb => verb.to_ascii_uppercase(),
        };
        let known = info.is_resource_request && code != 404;
        let text = |text: &str| if known { text.to_owned() } else { String::new() };
        let mut labels = RequestLabels {
            code,
            group: text(&info.api_group),
            resource: text(&info.resource),
            scope: scope(info, known),
            subresource: text(&info.subresource),
            verb,
            version: text(&info.api_version),
        };
        let mut requests = self.requests.lock();
        if requests.len() >= MOST_LABELS && !requests.contains_key(&labels) {
            labels = RequestLabels {
                code,
                group: String::new(),
                resource: String::new(),
                scope: "",
                subresource: String::new(),
                verb: String::new(),
                version: String::new(),
            };
        }
        *requests.entry(labels).or_default() += 1;
    }

    /// Counts a request as under way until the guard is dropped.
    pub(crate) fn in_flight(&self, mutating: bool) -> InFlight<'_> {
        let gauge = if mutating { &self.mutating } else { &self.read_only };
        gauge.fetch_add(1, Ordering::Relaxed);
        InFlight(gauge)
    }

    fn render(&self) -> String {
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        let name = "apiserver_current_inflight_requests";
        head(
            &mut out,
            name,
            "gauge",
            "[STABLE] Requests under way by kind, watches and streams not counted.",
        );
        for (kind, gauge) in [("mutating", &self.mutating), ("readOnly", &self.read_only)] {
            let _ = writeln!(
                out,
                "{name}{{request_kind=\"{kind}\"}} {}",
                gauge.load(Ordering::Relaxed)
            );
        }
        let name = "apiserver_request_total";
        head(
            &mut out,
            name,
            "counter",
            "[STABLE] Requests by verb, group, version, resource, scope and HTTP code.",
        );
        for (labels, count) in &*self.requests.lock() {
            let RequestLabels {
                code,
                group,
                resource,
                scope,
                subresource,
                verb,
                version,
            } = labels;
            let [group, resource, subresource, verb, version] =
                [group, resource, subresource, verb, version].map(|l| escape(l));
            let _ = writeln!(
                out,
                "{name}{{code=\"{code}\",component=\"apiserver\",dry_run=\"\",group=\"{group}\",resource=\"{resource}\",\
                 scope=\"{scope}\",subresource=\"{subresource}\",verb=\"{verb}\",version=\"{version}\"}} {count}"
            );
        }
        if let Some(counts) = &self.object_counts {
            let name = "apiserver_storage_objects";
            head(&mut out, name, "gauge", "[STABLE] Objects in storage by resource.");
            for (resource, count) in counts() {
                let _ = writeln!(out, "{name}{{resource=\"{}\"}} {count}", escape(&resource));
            }
        }
        let name = "process_start_time_seconds";
        head(
            &mut out,
            name,
            "gauge",
            "Start time of the server since the Unix epoch in seconds.",
        );
        let _ = writeln!(out, "{name} {}", self.started.as_second());
        out
    }
}

/// A request under way.
pub(crate) struct InFlight<'a>(&'a AtomicI64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn scope(info: &RequestInfo, known: bool) -> &'static str {
    match (known, info.name.is_empty(), info.namespace.is_empty()) {
        (false, ..) => "",
        (true, false, _) => "resource",
        (true, true, false) => "namespace",
        (true, true, true) => "cluster",
    }
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Serves `/metrics`; DELETE begins again at zero where that is allowed.
pub(crate) struct MetricsHandler {
    metrics: Arc<Metrics>,
    may_reset: bool,
}

impl MetricsHandler {
    pub(crate) fn new(metrics: Arc<Metrics>, may_reset: bool) -> Self {
        Self { metrics, may_reset }
    }
}

#[async_trait]
impl Handler for MetricsHandler {
    async fn handle(&self, request: Request) -> Response {
        if request.method() == Method::DELETE && self.may_reset {
            self.metrics.requests.lock().clear();
            return text(StatusCode::OK, "metrics reset\n");
        }
        let media_type = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
        respond::bytes(StatusCode::OK, media_type, Bytes::from(self.metrics.render()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_ask_for() {
        let metrics = Metrics::new(Timestamp::from_second(7).unwrap());
        let pods = RequestInfo::parse(&Method::GET, "/api/v1/namespaces/a/pods", None).unwrap();
        metrics.count(&pods, 200);
        metrics.count(&pods, 200);
        let guard = metrics.in_flight(true);
        let text = metrics.render();
        assert!(
            text.contains("resource=\"pods\",scope=\"namespace\",subresource=\"\",verb=\"LIST\",version=\"v1\"} 2\n"),
            "{text}"
        );
        assert!(
            text.contains("requests{request_kind=\"mutating\"} 1\n") && text.contains("process_start_time_seconds 7\n")
        );
        drop(guard);
        let counts: ObjectCounts = Arc::new(|| [("deployments.apps".to_owned(), 3)].into());
        let metrics = metrics.with_object_counts(Some(counts));
        let text = metrics.render();
        assert!(
            text.contains("\napiserver_storage_objects{resource=\"deployments.apps\"} 3\n"),
            "{text}"
        );
        assert!(metrics.render().contains("requests{request_kind=\"mutating\"} 0\n"));
    }

    #[tokio::test]
    async fn a_reset_begins_at_zero_where_it_is_allowed() {
        let metrics = Arc::new(Metrics::new(Timestamp::from_second(7).unwrap()));
        let pods = RequestInfo::parse(&Method::GET, "/api/v1/pods", None).unwrap();
        metrics.count(&pods, 200);
        let delete = || {
            http::Request::delete("/metrics")
                .body(crate::generic::request::empty())
                .unwrap()
        };
        MetricsHandler::new(metrics.clone(), false).handle(delete()).await;
        assert!(metrics.render().contains("resource=\"pods\""));
        MetricsHandler::new(metrics.clone(), true).handle(delete()).await;
        assert!(!metrics.render().contains("resource=\"pods\""));
    }
}
