//! One watch on the cache.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::watch as progress;
use tokio::time::Instant;

use super::state::{CacheEvent, EventsAfter};
use super::{Cacher, Shared};
use crate::registry::object::StoredObject;
use crate::registry::query::WatchEvent;
use crate::status::ApiError;

/// Roughly how often a watch is told the version it has reached.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);
/// How long before its end a watch is told that once more.
const BEFORE_END: Duration = Duration::from_secs(2);

/// Which objects a watch wants.
pub(in crate::registry) type Selection = Box<dyn Fn(&StoredObject) -> bool + Send + Sync>;

/// Where a watch begins, and what it is told.
pub(in crate::registry) struct WatchStart {
    /// What the keys start with.
    pub(in crate::registry) prefix: String,
    pub(in crate::registry) selection: Selection,
    /// Changes after this version; `None` for the present state first, as additions.
    pub(in crate::registry) after: Option<u64>,
    pub(in crate::registry) bookmarks: bool,
    /// A bookmark marks the end of the present state.
    pub(in crate::registry) mark_initial_end: bool,
    /// When the request will end.
    pub(in crate::registry) timeout: Option<Duration>,
}

/// Starts a watch; the cache must have the version from which it shall start.
pub(in crate::registry) fn watch(cacher: &Cacher, start: WatchStart) -> BoxStream<'static, WatchEvent> {
    let shared = cacher.shared.clone();
    let progress = shared.revision.subscribe();
    let end = start.timeout.map(|timeout| Instant::now() + timeout);
    let mut watch = Watch {
        position: start.after.unwrap_or_default(),
        pending: VecDeque::new(),
        next_bookmark: Instant::now(),
        end,
        ended: false,
        shared,
        progress,
        start,
    };
    watch.plan_bookmark();
    if watch.start.after.is_none() {
        watch.add_present_state();
    }
    let events = futures::stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((event, watch))
    });
    events.boxed()
}

struct Watch {
    shared: Arc<Shared>,
    start: WatchStart,
    progress: progress::Receiver<u64>,
    /// Everything up to this version has been looked at.
    position: u64,
    pending: VecDeque<WatchEvent>,
    next_bookmark: Instant,
    end: Option<Instant>,
    ended: bool,
}

impl Watch {
    async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            self.read_events();
            if !self.pending.is_empty() || self.ended {
                continue;
            }
            let wait_for_bookmark = async {
                match self.start.bookmarks {
                    true => tokio::time::sleep_until(self.next_bookmark).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.progress.changed() => self.ended |= changed.is_err(),
                () = wait_for_bookmark => self.add_bookmark().await,
            }
        }
    }

    fn add_present_state(&mut self) {
        let (objects, revision) = self.shared.state.read().list(&self.start.prefix);
        let selected = objects.into_iter().filter(|object| (self.start.selection)(object));
        self.pending.extend(selected.map(WatchEvent::Added));
        self.position = revision;
        if self.start.mark_initial_end {
            self.pending.push_back(WatchEvent::Bookmark {
                resource_version: revision,
                initial_events_end: true,
            });
        }
    }

    fn read_events(&mut self) {
        self.progress.mark_unchanged();
        let read = self.shared.state.read().events_after(self.position);
        match read {
            EventsAfter::Closed => self.ended = true,
            EventsAfter::TooOld(known_since) => {
                self.ended = true;
                let message = format!("too old resource version: {} ({known_since})", self.position);
                self.pending
                    .push_back(WatchEvent::Error(ApiError::resource_expired(message)));
            }
            EventsAfter::Events(events, revision) => {
                self.position = revision;
                let concerned = events.into_iter().filter_map(|event| self.as_seen(event));
                self.pending = concerned.collect();
            }
        }
    }

    /// What a change means for this watch: an object can come into the selection or leave it.
    fn as_seen(&self, event: CacheEvent) -> Option<WatchEvent> {
        let selected =
            |object: &Arc<StoredObject>| object.key().starts_with(&self.start.prefix) && (self.start.selection)(object);
        let was = event.previous.as_ref().is_some_and(selected);
        match event.current.filter(selected) {
            Some(object) if was => Some(WatchEvent::Modified(object)),
            Some(object) => Some(WatchEvent::Added(object)),
            // What went away is shown as it was, with the version of the event.
            None => {
                let last = event.previous.filter(|_| was)?;
                Some(WatchEvent::Deleted(Arc::new(last.at_version(event.revision))))
            }
        }
    }

    async fn add_bookmark(&mut self) {
        // The newest version saves the client the most; events up to it come first.
        if self.shared.wait_most_recent().await.is_ok() {
            self.read_events();
        }
        if !self.ended {
            self.pending.push_back(WatchEvent::Bookmark {
                resource_version: self.position,
                initial_events_end: false,
            });
        }
        self.plan_bookmark();
    }

    fn plan_bookmark(&mut self) {
        let now = Instant::now();
        let regular = now + BOOKMARK_INTERVAL;
        let last = self.end.and_then(|end| end.checked_sub(BEFORE_END));
        self.next_bookmark = last.filter(|last| *last > now && *last < regular).unwrap_or(regular);
    }
}
