//! One watch on the cache.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::watch as progress;
use tokio::time::{Instant, Sleep};

use super::state::{CacheEvent, EventsAfter};
use super::{Cacher, Shared};
use crate::registry::object::StoredObject;
use crate::registry::query::{WatchEvent, WatchStream};
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
pub(in crate::registry) fn watch(cacher: &Cacher, start: WatchStart) -> WatchStream {
    let shared = cacher.shared.clone();
    let mut progress = shared.revision.subscribe();
    // What happened until now is to be looked at.
    progress.mark_changed();
    let end = start.timeout.map(|timeout| Instant::now() + timeout);
    let bookmark = start
        .bookmarks
        .then(|| Box::pin(tokio::time::sleep_until(next_bookmark(end))));
    let mut watch = Box::new(Watch {
        position: start.after.unwrap_or_default(),
        bookmark,
        end,
        ended: false,
        shared,
        progress,
        start,
    });
    let present = match watch.start.after {
        Some(_) => VecDeque::new(),
        None => watch.present_state(),
    };
    let batches = futures::stream::unfold(watch, |mut watch| async move {
        let batch = watch.next().await?;
        Some((batch, watch))
    });
    WatchStream::new(present, batches.boxed())
}

struct Watch {
    shared: Arc<Shared>,
    start: WatchStart,
    progress: progress::Receiver<u64>,
    /// Everything up to this version has been looked at.
    position: u64,
    /// When the next bookmark is due, if there are any.
    bookmark: Option<Pin<Box<Sleep>>>,
    end: Option<Instant>,
    ended: bool,
}

impl Watch {
    async fn next(&mut self) -> Option<VecDeque<WatchEvent>> {
        while !self.ended {
            let bookmark_is_due = async {
                match &mut self.bookmark {
                    Some(due) => due.as_mut().await,
                    None => std::future::pending().await,
                }
            };
            let events = tokio::select! {
                changed = self.progress.changed() => match changed {
                    Ok(()) => self.read_events(),
                    Err(_) => return None,
                },
                () = bookmark_is_due => self.bookmark().await,
            };
            if !events.is_empty() {
                return Some(events);
            }
        }
        None
    }

    fn present_state(&mut self) -> VecDeque<WatchEvent> {
        let listed = self.shared.state.read().list(&self.start.prefix, usize::MAX);
        let revision = listed.revision;
        let selected = listed
            .objects
            .into_iter()
            .filter(|object| (self.start.selection)(object));
        let mut events: VecDeque<_> = selected.map(WatchEvent::Added).collect();
        self.position = revision;
        if self.start.mark_initial_end {
            events.push_back(WatchEvent::Bookmark {
                resource_version: revision,
                initial_events_end: true,
            });
        }
        events
    }

    fn read_events(&mut self) -> VecDeque<WatchEvent> {
        let read = self.shared.state.read().events_after(self.position);
        match read {
            EventsAfter::Closed => {
                self.ended = true;
                VecDeque::new()
            }
            // One that was slow is ended without a word, as kube-apiserver does, and may ask again from where it was.
            EventsAfter::TooOld(_) if self.start.after != Some(self.position) => {
                self.ended = true;
                VecDeque::new()
            }
            EventsAfter::TooOld(known_since) => {
                self.ended = true;
                let message = format!("too old resource version: {} ({known_since})", self.position);
                [WatchEvent::Error(ApiError::resource_expired(message))].into()
            }
            EventsAfter::Events(events, revision) => {
                self.position = revision;
                events.into_iter().filter_map(|event| self.as_seen(event)).collect()
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

    /// The newest version saves the client the most; events up to it come first.
    async fn bookmark(&mut self) -> VecDeque<WatchEvent> {
        let mut events = match self.shared.wait_most_recent().await {
            Ok(()) => self.read_events(),
            Err(_) => VecDeque::new(),
        };
        if !self.ended {
            events.push_back(WatchEvent::Bookmark {
                resource_version: self.position,
                initial_events_end: false,
            });
        }
        if let Some(due) = &mut self.bookmark {
            due.as_mut().reset(next_bookmark(self.end));
        }
        events
    }
}

fn next_bookmark(end: Option<Instant>) -> Instant {
    let now = Instant::now();
    let regular = now + BOOKMARK_INTERVAL;
    let last = end.and_then(|end| end.checked_sub(BEFORE_END));
    last.filter(|last| *last > now && *last < regular).unwrap_or(regular)
}
