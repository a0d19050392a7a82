//! What is counted of requests: how many, how long they take, how large their answers are.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::header::CONTENT_TYPE;

use super::family::Family;
use super::histogram::Histogram;
use super::text::Exposition;
use crate::endpoints::Query;
use crate::generic::request::{Request, RequestInfo};

/// Seconds; of kube-apiserver.
const DURATIONS: &[f64] = &[
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
];
const SLI_DURATIONS: &[f64] = &[
    0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];
const SIZES: &[f64] = &[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// How many different HTTP codes are told apart for one set of labels.
const CODES: usize = 12;

/// Group, resource, scope, subresource, verb and version.
const LABELS: [&str; 6] = ["group", "resource", "scope", "subresource", "verb", "version"];

#[derive(Default)]
pub(super) struct Requests {
    /// By the labels and, last, whether it was a dry run.
    by_labels: Family<7, Series>,
    answers: Family<6, Answers>,
    long_running: Family<6, AtomicI64>,
    /// By the labels and, last, the code.
    terminations: Family<7, AtomicU64>,
    aborts: Family<6, AtomicU64>,
}

struct Series {
    codes: [(AtomicU64, AtomicU64); CODES],
    durations: Histogram,
    answers: Arc<Answers>,
}

/// What is counted without regard to dry runs.
struct Answers {
    durations: Histogram,
    sizes: Histogram,
}

/// What a request asks for, as labels say it; taken before it is handled.
pub(crate) struct RequestLabels {
    info: Arc<RequestInfo>,
    verb: &'static str,
    dry_run: &'static str,
    subresource: &'static str,
}

/// A request that may go on for ever counts as under way until this is dropped.
pub(crate) struct LongRunning(Arc<AtomicI64>);

impl Drop for LongRunning {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RequestLabels {
    /// Nothing for paths whose requests are not counted.
    pub(crate) fn of(request: &Request, info: Arc<RequestInfo>) -> Option<Self> {
        let subresource = match info.is_resource_request {
            true => "",
            false => counted_path(&info.path)?,
        };
        let applies = || {
            let media_type = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
            media_type.is_some_and(|media_type| media_type.starts_with(b"application/apply-patch"))
        };
        let verb = match info.verb.as_str() {
            _ if is_connection(&info) => "CONNECT",
            "get" => "GET",
            "list" => "LIST",
            "watch" => "WATCH",
            "create" | "post" => "POST",
            "update" | "put" => "PUT",
            "patch" if applies() => "APPLY",
            "patch" => "PATCH",
            "delete" => "DELETE",
            "deletecollection" => "DELETECOLLECTION",
            "head" => "HEAD",
            _ => "OTHER",
        };
        Some(Self {
            verb,
            dry_run: dry_run(request.uri().query().unwrap_or_default()),
            subresource,
            info,
        })
    }

    fn values(&self) -> [&str; 6] {
        let info = &self.info;
        if !info.is_resource_request {
            return ["", "", "", self.subresource, self.verb, ""];
        }
        let scope = match (info.name.is_empty() && info.verb != "create", info.namespace.is_empty()) {
            (false, _) => "resource",
            (true, false) => "namespace",
            (true, true) => "cluster",
        };
        [
            &info.api_group,
            &info.resource,
            scope,
            &info.subresource,
            self.verb,
            &info.api_version,
        ]
    }
}

/// The paths outside of the resources whose requests are counted, as the label has them.
fn counted_path(path: &str) -> Option<&'static str> {
    Some(match path {
        "/healthz" => "/healthz",
        "/livez" => "/livez",
        "/readyz" => "/readyz",
        "/api" | "/api/" => "api",
        "/apis" | "/apis/" => "apis",
        "/openapi/v2" => "openapi/v2",
        "/openapi/v3" => "openapi/v3",
        path if path.starts_with("/openapi/v3/") => "openapi/v3/",
        _ => return None,
    })
}

fn is_connection(info: &RequestInfo) -> bool {
    info.is_resource_request && ["attach", "exec", "portforward", "proxy"].contains(&info.subresource.as_str())
}

fn dry_run(query: &str) -> &'static str {
    if !query.contains("dryRun=") {
        return "";
    }
    match Query::parse(query).all("dryRun").as_slice() {
        [] | [""] => "",
        values if values.iter().all(|value| *value == "All") => "All",
        _ => "invalid",
    }
}

impl Requests {
    /// Counts an answered request.
    pub(super) fn record(&self, labels: &RequestLabels, code: u16, elapsed: Duration, size: u64) {
        let [group, resource, scope, subresource, verb, version] = labels.values();
        let all = [group, resource, scope, subresource, verb, version, labels.dry_run];
        let series = self.by_labels.get(all, || Series {
            codes: Default::default(),
            durations: Histogram::of_durations(DURATIONS),
            answers: self
                .answers
                .get([group, resource, scope, subresource, verb, version], || Answers {
                    durations: Histogram::of_durations(SLI_DURATIONS),
                    sizes: Histogram::of_sizes(SIZES),
                }),
        });
        series.count(code);
        series.durations.observe(elapsed);
        series.answers.durations.observe(elapsed);
        if matches!(labels.verb, "GET" | "LIST") {
            series.answers.sizes.observe_size(size);
        }
    }

    /// Counts a request that may go on for ever.
    pub(super) fn long_running(&self, labels: &RequestLabels) -> LongRunning {
        let gauge = self.long_running.get(labels.values(), AtomicI64::default);
        gauge.fetch_add(1, Ordering::Relaxed);
        LongRunning(gauge)
    }

    /// Counts a request that was given up.
    pub(super) fn terminated(&self, labels: &RequestLabels, code: u16) {
        let [group, resource, scope, subresource, verb, version] = labels.values();
        let code = code.to_string();
        let all = [group, resource, scope, subresource, verb, version, &code];
        let count = self.terminations.get(all, AtomicU64::default);
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that the client gave up.
    pub(super) fn aborted(&self, labels: &RequestLabels) {
        let count = self.aborts.get(labels.values(), AtomicU64::default);
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins again at zero; what is under way still is.
    pub(super) fn reset(&self) {
        self.by_labels.clear();
        self.answers.clear();
    }

    pub(super) fn show(&self, shown: &mut Exposition) {
        let (requests, answers) = (self.by_labels.sorted(), self.answers.sorted());
        let mut writer = shown.counter(
            "apiserver_request_total",
            "[STABLE] Requests that were answered, by what they asked for and HTTP code.",
        );
        for (labels, series) in &requests {
            for (code, count) in series.counted() {
                let code = code.to_string();
                writer.sample(
                    std::iter::once(("code", &*code)).chain(named_with_dry_run(labels)),
                    count,
                );
            }
        }
        let mut writer = shown.histogram(
            "apiserver_request_duration_seconds",
            "[STABLE] How long requests took, by what they asked for.",
        );
        for (labels, series) in &requests {
            writer.buckets(named_with_dry_run(labels), &series.durations);
        }
        let mut writer = shown.histogram(
            "apiserver_request_sli_duration_seconds",
            "[ALPHA] How long requests took that count for service levels, by what they asked for.",
        );
        for (labels, answers) in &answers {
            writer.buckets(named(labels), &answers.durations);
        }
        let mut writer = shown.histogram(
            "apiserver_response_sizes",
            "[STABLE] How many bytes answers to reads had, by what was asked for.",
        );
        for (labels, answers) in answers.iter().filter(|(_, answers)| answers.sizes.count() > 0) {
            writer.buckets(named(labels), &answers.sizes);
        }
        let mut writer = shown.counter(
            "apiserver_request_terminations_total",
            "[ALPHA] Requests that the server gave up, by what they asked for.",
        );
        for (labels, count) in self.terminations.sorted() {
            let [.., code] = &labels;
            let named = LABELS.into_iter().zip(labels.iter().map(|value| &**value));
            let all = [("code", &**code), ("component", "apiserver")].into_iter().chain(named);
            writer.sample(all, count.load(Ordering::Relaxed));
        }
        let mut writer = shown.counter(
            "apiserver_request_aborts_total",
            "[ALPHA] Requests whose clients went away before there was an answer, by what they asked for.",
        );
        for (labels, count) in self.aborts.sorted() {
            let named = LABELS.into_iter().zip(labels.iter().map(|value| &**value));
            writer.sample(named, count.load(Ordering::Relaxed));
        }
        let mut writer = shown.gauge(
            "apiserver_longrunning_requests",
            "[STABLE] Watches and streams that are open, by what they are for.",
        );
        for (labels, gauge) in self.long_running.sorted() {
            writer.sample(named(&labels), gauge.load(Ordering::Relaxed));
        }
    }
}

impl Series {
    /// Codes take free places; when all are taken, the last place counts for all others.
    fn count(&self, code: u16) {
        for (place, count) in &self.codes {
            let known = place.compare_exchange(0, code.into(), Ordering::Relaxed, Ordering::Relaxed);
            if known.is_ok() || known == Err(code.into()) {
                count.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        if let Some((_, count)) = self.codes.last() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted(&self) -> Vec<(u64, u64)> {
        let codes = self
            .codes
            .iter()
            .map(|(code, count)| (code.load(Ordering::Relaxed), count.load(Ordering::Relaxed)));
        let mut codes: Vec<_> = codes.filter(|(code, _)| *code != 0).collect();
        codes.sort_unstable();
        codes
    }
}

fn named(values: &[Box<str>; 6]) -> impl Iterator<Item = (&str, &str)> {
    let named = LABELS.into_iter().zip(values.iter().map(|value| &**value));
    std::iter::once(("component", component(values))).chain(named)
}

fn named_with_dry_run(values: &[Box<str>; 7]) -> impl Iterator<Item = (&str, &str)> {
    let [.., dry_run] = values;
    let named = LABELS.into_iter().zip(values.iter().map(|value| &**value));
    [("component", component(values)), ("dry_run", dry_run)]
        .into_iter()
        .chain(named)
}

/// Paths that are no part of the API belong to no component.
fn component(values: &[Box<str>]) -> &'static str {
    match values {
        [_, resource, _, subresource, ..] if resource.is_empty() && subresource.contains('/') => "",
        _ => "apiserver",
    }
}
