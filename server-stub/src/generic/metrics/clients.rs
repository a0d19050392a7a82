//! What is counted of the server's client of itself, and of the queues of its controllers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use kubewire_client::rest::{ClientMetrics, Verb};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::family::Family;
use super::histogram::Histogram;
use super::text::Exposition;

/// Seconds; of kube-apiserver.
const DURATIONS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0];
/// Seconds; ten times as many each, as Go multiplies.
const QUEUE_DURATIONS: &[f64] = &[
    1e-8,
    1e-7,
    1e-6,
    9.999_999_999_999_999e-6,
    9.999_999_999_999_999e-5,
    0.001,
    0.01,
    0.1,
    1.0,
    10.0,
];

/// The figures of one client, whose requests all go to one host.
#[derive(Debug)]
pub(crate) struct LoopbackMetrics {
    pub(super) clients: Arc<Clients>,
    pub(super) host: String,
}

#[derive(Default)]
pub(super) struct Clients {
    /// By code, host and method.
    requests: Family<3, AtomicU64>,
    retries: Family<3, AtomicU64>,
    /// By host and method.
    durations: Family<2, Histogram>,
}

impl ClientMetrics for LoopbackMetrics {
    fn answered(&self, verb: Verb, code: Option<u16>, latency: Duration) {
        let (code, method) = (code_text(code), verb.method());
        let labels = [&*code, &self.host, method.as_str()];
        let count = self.clients.requests.get(labels, AtomicU64::default);
        count.fetch_add(1, Ordering::Relaxed);
        let durations = self
            .clients
            .durations
            .get([&self.host, method.as_str()], || Histogram::of_durations(DURATIONS));
        durations.observe(latency);
    }

    fn retried(&self, verb: Verb, code: Option<u16>) {
        let (code, method) = (code_text(code), verb.method());
        let labels = [&*code, &self.host, method.as_str()];
        let count = self.clients.retries.get(labels, AtomicU64::default);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn code_text(code: Option<u16>) -> String {
    code.map_or_else(|| "<error>".to_owned(), |code| code.to_string())
}

impl Clients {
    pub(super) fn reset(&self) {
        self.requests.clear();
        self.retries.clear();
        self.durations.clear();
    }

    pub(super) fn show(&self, shown: &mut Exposition) {
        let help = "[ALPHA] Requests of the server's clients, by the answer's code, the host and the method.";
        let mut writer = shown.counter("rest_client_requests_total", help);
        for ([code, host, method], count) in self.requests.sorted() {
            let labels = [("code", &*code), ("host", &*host), ("method", &*method)];
            writer.sample(labels, count.load(Ordering::Relaxed));
        }
        let help = "[ALPHA] Requests of the server's clients that were sent again.";
        let mut writer = shown.counter("rest_client_request_retries_total", help);
        for ([code, host, method], count) in self.retries.sorted() {
            let labels = [("code", &*code), ("host", &*host), ("verb", &*method)];
            writer.sample(labels, count.load(Ordering::Relaxed));
        }
        let help = "[ALPHA] How long the server's clients waited for answers, by host and method.";
        let mut writer = shown.histogram("rest_client_request_duration_seconds", help);
        for ([host, method], durations) in self.durations.sorted() {
            writer.buckets([("host", &*host), ("verb", &*method)], &durations);
        }
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clients")
    }
}

/// The queues by their names.
#[derive(Default)]
pub(super) struct Queues(Family<1, Queue>);

struct Queue {
    adds: AtomicU64,
    retries: AtomicU64,
    depth: AtomicI64,
    waited: Histogram,
    worked: Histogram,
    /// When the work began that has not ended.
    under_way: Mutex<Vec<Instant>>,
}

impl Queues {
    fn get(&self, name: &str) -> Arc<Queue> {
        self.0.get([name], || Queue {
            adds: AtomicU64::default(),
            retries: AtomicU64::default(),
            depth: AtomicI64::default(),
            waited: Histogram::of_durations(QUEUE_DURATIONS),
            worked: Histogram::of_durations(QUEUE_DURATIONS),
            under_way: Mutex::default(),
        })
    }

    /// Shows a queue before anything is in it.
    pub(super) fn add(&self, name: &str) {
        self.get(name);
    }

    /// Begins again at zero; what waits and what is under way still does.
    pub(super) fn reset(&self) {
        for (_, queue) in self.0.sorted() {
            queue.adds.store(0, Ordering::Relaxed);
            queue.retries.store(0, Ordering::Relaxed);
            queue.waited.reset();
            queue.worked.reset();
        }
    }

    pub(super) fn show(&self, shown: &mut Exposition) {
        let queues = self.0.sorted();
        let now = Instant::now();
        let seconds = |queue: &Queue| -> Vec<f64> {
            let under_way = queue.under_way.lock();
            under_way
                .iter()
                .map(|start| now.duration_since(*start).as_secs_f64())
                .collect()
        };
        for ([name], queue) in &queues {
            let name = [("name", &**name)];
            let help = "[BETA] Items that were put into a queue.";
            let adds = queue.adds.load(Ordering::Relaxed);
            shown.counter("workqueue_adds_total", help).sample(name, adds);
            let help = "[BETA] Items that came back into a queue after a failure.";
            let retries = queue.retries.load(Ordering::Relaxed);
            shown.counter("workqueue_retries_total", help).sample(name, retries);
            let help = "[BETA] Items that wait in a queue.";
            let depth = queue.depth.load(Ordering::Relaxed);
            shown.gauge("workqueue_depth", help).sample(name, depth);
            let help = "[BETA] How long items waited in a queue.";
            shown
                .histogram("workqueue_queue_duration_seconds", help)
                .buckets(name, &queue.waited);
            let help = "[BETA] How long the work on an item of a queue took.";
            shown
                .histogram("workqueue_work_duration_seconds", help)
                .buckets(name, &queue.worked);
            let seconds = seconds(queue);
            let help = "[BETA] How long work on items of a queue is under way that has not ended, all of it together.";
            let all = seconds.iter().fold(0.0, |all, one| all + one);
            shown.gauge("workqueue_unfinished_work_seconds", help).sample(name, all);
            let help = "[BETA] How long the longest work on an item of a queue is under way.";
            let longest = seconds.into_iter().fold(0.0, f64::max);
            shown
                .gauge("workqueue_longest_running_processor_seconds", help)
                .sample(name, longest);
        }
    }
}

impl kubewire_informers::Metrics for Queues {
    fn queue_added(&self, queue: &str, depth: usize) {
        let queue = self.get(queue);
        queue.adds.fetch_add(1, Ordering::Relaxed);
        queue.set_depth(depth);
    }

    fn queue_taken(&self, queue: &str, waited: Duration, depth: usize) {
        let queue = self.get(queue);
        queue.waited.observe(waited);
        queue.set_depth(depth);
        queue.under_way.lock().push(Instant::now());
    }

    fn queue_done(&self, queue: &str, worked: Duration) {
        let queue = self.get(queue);
        queue.worked.observe(worked);
        // The work is known by when it began, as nearly as two looks at the clock are.
        let began = |start: &Instant| start.elapsed().abs_diff(worked);
        let mut under_way = queue.under_way.lock();
        let nearest = under_way.iter().enumerate().min_by_key(|(_, start)| began(start));
        if let Some(index) = nearest.map(|(index, _)| index) {
            under_way.swap_remove(index);
        }
    }

    fn queue_retried(&self, queue: &str, _: Duration) {
        self.get(queue).retries.fetch_add(1, Ordering::Relaxed);
    }
}

impl Queue {
    fn set_depth(&self, depth: usize) {
        self.depth
            .store(i64::try_from(depth).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}
