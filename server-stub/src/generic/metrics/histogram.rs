//! Counts by size or duration, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often values fell between bounds.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    /// One more than the bounds: what is beyond the last.
    counts: Box<[AtomicU64]>,
    /// In billionths for durations, in ones for sizes.
    sum: AtomicU64,
    per_unit: f64,
}

/// What was counted: the numbers up to each bound and in all, and the sum of the values.
pub(super) struct Snapshot {
    pub(super) cumulative: Vec<u64>,
    pub(super) sum: f64,
}

impl Histogram {
    /// Counts durations; bounds are seconds.
    pub(crate) fn of_durations(bounds: &'static [f64]) -> Self {
        Self::new(bounds, 1e9)
    }

    /// Counts sizes.
    pub(crate) fn of_sizes(bounds: &'static [f64]) -> Self {
        Self::new(bounds, 1.0)
    }

    fn new(bounds: &'static [f64], per_unit: f64) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            per_unit,
        }
    }

    pub(crate) fn observe(&self, duration: Duration) {
        self.add(
            duration.as_secs_f64(),
            u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
        );
    }

    pub(crate) fn observe_size(&self, size: u64) {
        self.add(size as f64, size);
    }

    fn add(&self, value: f64, sum: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        if let Some(count) = self.counts.get(bucket.unwrap_or(self.bounds.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(sum, Ordering::Relaxed);
    }

    /// Begins again at zero.
    pub(super) fn reset(&self) {
        self.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        self.sum.store(0, Ordering::Relaxed);
    }

    /// How many values were counted.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn bounds(&self) -> &'static [f64] {
        self.bounds
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut total = 0;
        let cumulative = self.counts.iter().map(|count| {
            total += count.load(Ordering::Relaxed);
            total
        });
        Snapshot {
            cumulative: cumulative.collect(),
            sum: self.sum.load(Ordering::Relaxed) as f64 / self.per_unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_what_is_below() {
        let histogram = Histogram::of_sizes(&[10.0, 100.0]);
        [1, 10, 11, 1000].iter().for_each(|size| histogram.observe_size(*size));
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.cumulative, snapshot.sum), (vec![2, 3, 4], 1022.0));
        let histogram = Histogram::of_durations(&[0.5]);
        histogram.observe(Duration::from_millis(250));
        assert_eq!(histogram.snapshot().sum, 0.25);
    }
}
