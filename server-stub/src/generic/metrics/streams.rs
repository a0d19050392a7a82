//! What is counted of watches and of storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::family::Family;
use super::histogram::Histogram;
use super::text::Exposition;

/// Bytes; of kube-apiserver.
const EVENT_SIZES: &[f64] = &[1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131_072.0];
/// Seconds; of kube-apiserver.
const STORAGE_DURATIONS: &[f64] = &[
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
];

#[derive(Default)]
pub(super) struct Streams {
    watches: Family<3, WatchSeries>,
    storage: Family<3, OperationSeries>,
}

/// The events that watches of a resource were sent.
pub(crate) struct WatchSeries {
    sizes: Histogram,
}

impl WatchSeries {
    /// Counts an event of so many bytes.
    pub(crate) fn sent(&self, size: usize) {
        self.sizes.observe_size(size as u64);
    }
}

/// What is asked of storage for a resource.
#[derive(Clone)]
pub(crate) struct StorageSeries([Arc<OperationSeries>; OPERATIONS.len()]);

/// What can be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Get,
    List,
    Create,
    Update,
    Delete,
    CurrentRevision,
}

/// The operations as the label has them.
const OPERATIONS: [&str; 6] = ["get", "list", "create", "update", "delete", "getCurrentResourceVersion"];

struct OperationSeries {
    durations: Histogram,
    errors: AtomicU64,
}

impl StorageSeries {
    /// Counts one answer of storage.
    pub(crate) fn record(&self, operation: Operation, elapsed: Duration, failed: bool) {
        if let Some(series) = self.0.get(operation as usize) {
            series.durations.observe(elapsed);
            if failed {
                series.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Streams {
    pub(super) fn watch(&self, group: &str, version: &str, resource: &str) -> Arc<WatchSeries> {
        self.watches.get([group, resource, version], || WatchSeries {
            sizes: Histogram::of_sizes(EVENT_SIZES),
        })
    }

    pub(super) fn storage(&self, group: &str, resource: &str) -> StorageSeries {
        StorageSeries(OPERATIONS.map(|operation| {
            self.storage.get([group, operation, resource], || OperationSeries {
                durations: Histogram::of_durations(STORAGE_DURATIONS),
                errors: AtomicU64::new(0),
            })
        }))
    }

    /// Begins again at zero. Others hold on to the series.
    pub(super) fn reset(&self) {
        for (_, series) in self.watches.sorted() {
            series.sizes.reset();
        }
        for (_, series) in self.storage.sorted() {
            series.durations.reset();
            series.errors.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn show(&self, shown: &mut Exposition) {
        let watches = self.watches.sorted();
        let mut writer = shown.counter("apiserver_watch_events_total", "[BETA] Events that watches were sent.");
        for ([group, resource, version], series) in &watches {
            let labels = [("group", &**group), ("resource", resource), ("version", version)];
            writer.sample(labels, series.sizes.count());
        }
        let help = "[BETA] How many bytes the events had that watches were sent.";
        let mut writer = shown.histogram("apiserver_watch_events_sizes", help);
        for ([group, resource, version], series) in &watches {
            writer.buckets(
                [("group", &**group), ("resource", resource), ("version", version)],
                &series.sizes,
            );
        }
        let mut storage = self.storage.sorted();
        storage.retain(|(_, series)| series.durations.count() > 0);
        let mut writer = shown.histogram(
            "etcd_request_duration_seconds",
            "[ALPHA] How long storage took to answer, whether that is etcd or not.",
        );
        for (of, series) in &storage {
            writer.buckets(labels(of), &series.durations);
        }
        let mut writer = shown.counter("etcd_requests_total", "[ALPHA] What storage was asked, etcd or not.");
        for (of, series) in &storage {
            writer.sample(labels(of), series.durations.count());
        }
        let mut writer = shown.counter("etcd_request_errors_total", "[ALPHA] What storage could not answer.");
        for (of, series) in storage
            .iter()
            .filter(|(_, series)| series.errors.load(Ordering::Relaxed) > 0)
        {
            writer.sample(labels(of), series.errors.load(Ordering::Relaxed));
        }
    }
}

fn labels([group, operation, resource]: &[Box<str>; 3]) -> [(&str, &str); 3] {
    [("group", group), ("operation", operation), ("resource", resource)]
}
