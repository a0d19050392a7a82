//! What the informers have told us so far: one line of figures per kind, and the latest events.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::events::{Change, Seen};

/// How many of the latest events are kept for the live view.
const RECENT: usize = 200;

/// Shared by every event handler (writes) and the view (reads).
pub(crate) struct Board {
    started: Instant,
    rows: Vec<Row>,
    recent: Mutex<VecDeque<Seen>>,
    /// Where each event is printed as it comes; the live view draws from `recent` instead.
    print: Option<fn(&Seen)>,
}

/// The figures of one kind.
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    changes: [AtomicU64; Change::ALL.len()],
}

impl Row {
    pub(crate) fn count(&self, change: Change) -> u64 {
        self.changes
            .get(change as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

impl Board {
    pub(crate) fn new(kinds: impl IntoIterator<Item = &'static str>, print: Option<fn(&Seen)>) -> Self {
        let rows = kinds
            .into_iter()
            .map(|kind| Row {
                kind,
                changes: Default::default(),
            })
            .collect();
        Self {
            started: Instant::now(),
            rows,
            recent: Mutex::default(),
            print,
        }
    }

    /// Notes one event of the kind in the given row.
    pub(crate) fn note(&self, row: usize, seen: Seen) {
        if let Some(count) = self.rows.get(row).and_then(|row| row.changes.get(seen.change as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(print) = self.print {
            print(&seen);
            return;
        }
        let Ok(mut recent) = self.recent.lock() else { return };
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(seen);
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn total(&self, change: Change) -> u64 {
        self.rows.iter().map(|row| row.count(change)).sum()
    }

    pub(crate) fn events(&self) -> u64 {
        Change::ALL.iter().map(|change| self.total(*change)).sum()
    }

    /// The latest events, newest first.
    pub(crate) fn recent(&self, most: usize) -> Vec<Seen> {
        self.recent
            .lock()
            .map(|recent| recent.iter().rev().take(most).cloned().collect())
            .unwrap_or_default()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
