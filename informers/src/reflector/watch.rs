//! Following the changes.

use std::time::Duration;

use futures::StreamExt;
use kubewire_client::backoff::Backoff;
use kubewire_client::wire::{EncodedEvent, EncodedObject};
use kubewire_client::{Decode, Error, ListOptions, ResourceVersion};
use tokio::time::{Instant, timeout_at};

use super::reconnect::is_older;
use super::{EventStream, ReflectorStore, Session, State};
use crate::cache::CachedObject;
use crate::random::random;

/// A server that does not end a watch so long after its time is not there any more.
const GRACE: Duration = Duration::from_secs(30);
/// A watch that ends sooner than this, without any event, is not worth starting anew at once.
const SHORT_WATCH: Duration = Duration::from_secs(1);

/// A watch that has begun.
pub(super) struct Watch {
    events: EventStream,
    started: Instant,
    /// When the server is to end it.
    due: Instant,
}

/// How a watch ended.
pub(super) enum End {
    /// When it was to end.
    InTime,
    /// Before its time, or the server had to be left; `useful` where it lasted a while or brought something.
    Untimely { useful: bool },
    /// With an error.
    Failed(Error),
    /// The server is at an older version than we have reached.
    WentBack,
}

impl Watch {
    /// The next event; `None` where the watch has ended, or should have.
    pub(super) async fn next(&mut self) -> Option<Result<EncodedEvent, Error>> {
        timeout_at(self.due + GRACE, self.events.next()).await.ok().flatten()
    }
}

impl<K: Decode, S: ReflectorStore<K>> Session<'_, K, S> {
    pub(super) async fn watch_state(&mut self) -> State {
        let from = self.last_version.clone();
        let options = ListOptions::default().with_resource_version(from.clone());
        let end = match self.begin_watch(options).await {
            Ok(watch) => self.follow(watch, &from).await,
            Err(end) => end,
        };
        self.after_watch(end).await
    }

    pub(super) async fn begin_watch(&mut self, options: ListOptions) -> Result<Watch, End> {
        let started = Instant::now();
        let min_watch = self.reflector.options.min_watch_timeout;
        let lasting = Duration::from_secs(min_watch.mul_f64(1.0 + random()).as_secs().max(1));
        let due = started + lasting;
        let options = options.with_timeout(lasting).with_bookmarks();
        let events = timeout_at(due + GRACE, self.reflector.source.watch(&options)).await;
        let events = events
            .map_err(|_| End::Untimely { useful: true })?
            .map_err(End::Failed)?;
        self.count(|stats| stats.watches += 1);
        self.reflector.options.metrics.watch_started(&self.reflector.describe());
        Ok(Watch { events, started, due })
    }

    /// Hands every change to the store until the watch ends.
    pub(super) async fn follow(&mut self, mut watch: Watch, from: &ResourceVersion) -> End {
        let mut useful = false;
        while let Some(event) = watch.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => return End::Failed(error),
            };
            if !useful {
                useful = true;
                self.backoff.reset();
                self.count(|stats| stats.last_error = None);
            }
            if !self.take(from, event) {
                return End::WentBack;
            }
        }
        let now = Instant::now();
        if watch.due <= now && now < watch.due + GRACE {
            return End::InTime;
        }
        useful |= now >= watch.started + SHORT_WATCH;
        End::Untimely { useful }
    }

    pub(super) async fn after_watch(&mut self, end: End) -> State {
        match end {
            End::InTime => State::Watch,
            End::Untimely { useful } => {
                if !useful {
                    self.wait(None).await;
                }
                State::Reconnect
            }
            End::WentBack => {
                self.wait(None).await;
                State::List
            }
            End::Failed(error) => self.watch_failed(error).await,
        }
    }

    async fn watch_failed(&mut self, error: Error) -> State {
        if error.is_too_large_resource_version() {
            self.version_unavailable = true;
        } else if error.is_expired() {
            tracing::debug!(%error, "listing anew");
            self.wait(error.retry_after()).await;
            return State::List;
        }
        let next = if error.is_transport() {
            State::Reconnect
        } else if error.is_too_many_requests() {
            State::Watch
        } else {
            State::List
        };
        self.fail(error).await;
        next
    }

    /// Hands an event to the store; false where it shows that the server has another history than we know.
    fn take(&mut self, from: &ResourceVersion, event: EncodedEvent) -> bool {
        match event {
            EncodedEvent::Added(object) => {
                self.count(|stats| stats.added += 1);
                self.change(from, &object, S::add)
            }
            EncodedEvent::Modified(object) => {
                self.count(|stats| stats.modified += 1);
                self.change(from, &object, S::update)
            }
            EncodedEvent::Deleted(object) => {
                self.count(|stats| stats.deleted += 1);
                self.delete(from, &object);
                true
            }
            EncodedEvent::Bookmark { resource_version, .. } => {
                self.count(|stats| stats.bookmarks += 1);
                self.advance(from, &resource_version)
            }
            // Kinds of events that we do not know mean nothing to us.
            _ => true,
        }
    }

    fn change(
        &mut self,
        from: &ResourceVersion,
        encoded: &EncodedObject,
        change: impl FnOnce(&S, CachedObject<K>),
    ) -> bool {
        let Some(object) = self.entry(encoded) else { return true };
        let version = ResourceVersion::from(object.resource_version());
        if self.went_back(from, &version) {
            return false;
        }
        change(&self.reflector.store, object);
        self.reached(version);
        true
    }

    /// Some servers send the version of the last change, not that of the deletion, so it proves nothing.
    fn delete(&mut self, from: &ResourceVersion, encoded: &EncodedObject) {
        let Some(object) = self.entry(encoded) else { return };
        let version = ResourceVersion::from(object.resource_version());
        self.reflector.store.delete(object);
        if !is_older(&version, from) {
            self.reached(version);
        }
    }

    /// Every change of a watch is later than where the watch began.
    fn advance(&mut self, from: &ResourceVersion, version: &ResourceVersion) -> bool {
        if self.went_back(from, version) {
            return false;
        }
        self.reached(version.clone());
        true
    }
}
