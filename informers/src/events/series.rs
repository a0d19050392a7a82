//! Events that say the same as one before.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

use super::occurrence::Same;

/// A series ends when nothing was added to it for so long.
pub(super) const ENDS_AFTER: Duration = Duration::from_secs(6 * 60);
/// How often the count of a long series is written.
const WRITE_EVERY: Duration = Duration::from_secs(30 * 60);

/// The events that may become, or are, series.
pub(super) struct AllSeries(HashMap<Same, Series>);

struct Series {
    event: Event,
    last: Instant,
    written: Instant,
    /// Counted more than was written.
    ahead: bool,
}

impl Series {
    fn is_over(&self) -> bool {
        self.last.elapsed() > ENDS_AFTER
    }
}

impl AllSeries {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Counts an occurrence where it is part of a series: gives the event if that is to be written now, or nothing to
    /// write. An error where it is none.
    pub(super) fn count(&mut self, same: &Same, now: MicroTime) -> Result<Option<Event>, ()> {
        let series = self.0.get_mut(same).ok_or(())?;
        series.last = Instant::now();
        let first = series.event.series.is_none();
        let counted = series.event.series.get_or_insert(EventSeries {
            count: 1,
            last_observed_time: now.clone(),
        });
        counted.count = counted.count.saturating_add(1);
        counted.last_observed_time = now;
        if first {
            series.written = Instant::now();
            return Ok(Some(series.event.clone()));
        }
        series.ahead = true;
        Ok(None)
    }

    /// Ends the series of these occurrences where its time is over; gives its event where the count is to be written.
    pub(super) fn end(&mut self, same: &Same) -> Option<Event> {
        if !self.0.get(same)?.is_over() {
            return None;
        }
        let series = self.0.remove(same)?;
        series.ahead.then_some(series.event)
    }

    /// Remembers an event that was written.
    pub(super) fn begin(&mut self, same: Same, event: Event) {
        let now = Instant::now();
        let series = Series {
            event,
            last: now,
            written: now,
            ahead: false,
        };
        self.0.insert(same, series);
    }

    /// The events whose count is to be written now: of series that have ended, or all of them where `all`, and of those
    /// that have gone on for long.
    pub(super) fn due(&mut self, all: bool) -> Vec<Event> {
        let mut due = Vec::new();
        self.0.retain(|_, series| {
            let ended = all || series.is_over();
            if series.ahead && (ended || series.written.elapsed() > WRITE_EVERY) {
                due.push(series.event.clone());
                series.ahead = false;
                series.written = Instant::now();
            }
            !ended
        });
        due
    }
}
