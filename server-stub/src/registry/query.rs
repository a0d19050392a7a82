//! What a request asks a store for, and what it gets.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kubewire_client::selector::{FieldSelector, LabelSelector};
use kubewire_client::wire::ObjectHeader;

use super::admission::RequestAdmission;
use super::object::StoredObject;
use crate::filters::WarningRecorder;
use crate::generic::clock::{Clock, Ids};
use crate::generic::request::UserInfo;
use crate::status::ApiError;

/// Which objects to list or watch, and in which state.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ListQuery {
    /// Only objects with such labels.
    pub label_selector: LabelSelector,
    /// Only objects with such fields. The store refuses fields that the resource does not offer.
    pub field_selector: FieldSelector,
    /// At most so many objects; 0 for all.
    pub limit: u64,
    /// Where an earlier list stopped.
    pub continue_token: Option<String>,
    /// The version: `None` for the most recent, 0 for whatever is at hand.
    pub resource_version: Option<u64>,
    /// How the version is meant; `None` for the rules from before there was a choice.
    pub resource_version_match: Option<VersionMatch>,
    /// The watch is told now and then which version it has reached (KEP-956).
    pub allow_watch_bookmarks: bool,
    /// Whether a watch begins with the present state (KEP-3157); `None` for the rules from before there was a choice.
    pub send_initial_events: Option<bool>,
    /// When the watch will be ended; the last bookmark comes shortly before.
    pub timeout: Option<Duration>,
}

/// How the version of a list is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionMatch {
    /// The state at exactly this version.
    Exact,
    /// A state at this version or later.
    NotOlderThan,
}

/// A page of a list.
#[derive(Clone, Debug, Default)]
pub struct ListResult {
    /// The objects in the order of their keys.
    pub items: Vec<Arc<StoredObject>>,
    /// The version of the list.
    pub resource_version: u64,
    /// Where the next page starts, if there is one.
    pub continue_token: Option<String>,
    /// How many objects follow, where that is known.
    pub remaining: Option<i64>,
}

/// What happened to an object that a watch selects.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WatchEvent {
    /// It came into being, or into the selection.
    Added(Arc<StoredObject>),
    /// It changed.
    Modified(Arc<StoredObject>),
    /// It went away, or out of the selection: its last state, with the version of this event.
    Deleted(Arc<StoredObject>),
    /// Everything up to a version has been told.
    Bookmark {
        /// The version.
        resource_version: u64,
        /// The present state with which the watch began is complete.
        initial_events_end: bool,
    },
    /// The watch ends for this reason.
    Error(ApiError),
}

/// The events of one watch. Dropping it ends the watch.
pub struct WatchStream {
    batches: BoxStream<'static, VecDeque<WatchEvent>>,
    /// What can be told without waiting.
    ready: VecDeque<WatchEvent>,
}

impl WatchStream {
    /// The first events, and those that follow, as they come together.
    pub(super) fn new(ready: VecDeque<WatchEvent>, batches: BoxStream<'static, VecDeque<WatchEvent>>) -> Self {
        Self { batches, ready }
    }

    /// The next event, if it is there already.
    pub(crate) fn next_ready(&mut self) -> Option<WatchEvent> {
        self.ready.pop_front()
    }
}

impl Stream for WatchStream {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(event));
            }
            match ready!(self.batches.poll_next_unpin(cx)) {
                Some(batch) => self.ready = batch,
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for WatchStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchStream")
    }
}

/// Who writes, when, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WriteContext {
    /// The user.
    pub user: Arc<UserInfo>,
    /// The source of time.
    pub clock: Clock,
    /// The source of uids and generated names.
    pub ids: Ids,
    /// What the client should know although its write goes through.
    pub warnings: WarningRecorder,
    /// Do everything but the writing.
    pub dry_run: bool,
    /// To whom the fields are attributed; `None` where the object says so already.
    pub field_manager: Option<String>,
    /// The subresource that the fields are written through, if any.
    pub subresource: Option<String>,
    /// What is asked before anything is stored.
    pub admission: RequestAdmission,
}

/// The options of an update.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UpdateOptions {
    /// Create the object if it does not exist, also where the resource does not allow that for plain updates.
    pub allow_create: bool,
    /// What the stored object must be.
    pub preconditions: Preconditions,
}

/// What an object must be for a change to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// Its uid.
    pub uid: Option<String>,
    /// Its version.
    pub resource_version: Option<String>,
}

impl Preconditions {
    /// What the object is not, if anything.
    pub(super) fn broken_by(&self, header: &ObjectHeader) -> Option<String> {
        if let Some(uid) = self.uid.as_ref().filter(|uid| **uid != header.uid) {
            return Some(format!(
                "UID in precondition: {uid}, UID in object meta: {}",
                header.uid
            ));
        }
        let version = header.resource_version.as_str();
        let wanted = self.resource_version.as_ref().filter(|wanted| *wanted != version)?;
        Some(format!(
            "ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {version}"
        ))
    }
}

/// The options of a deletion.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DeleteOptions {
    /// How long the object may take to end; `None` for what it says itself.
    pub grace_period_seconds: Option<i64>,
    /// What the object must be.
    pub preconditions: Preconditions,
    /// What becomes of the objects that the object owns.
    pub propagation_policy: Option<PropagationPolicy>,
    /// Delete an object only because it cannot be read (KEP-3926).
    pub ignore_store_read_error: bool,
}

/// What becomes of the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PropagationPolicy {
    /// They stay, without their owner.
    Orphan,
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
}

/// What a deletion did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DeleteOutcome {
    /// The object is gone; its last state.
    Deleted(Arc<StoredObject>),
    /// The object is there until its finalizers are gone or its grace period is over.
    Marked(Arc<StoredObject>),
}

impl DeleteOutcome {
    /// The object, in either case.
    pub fn object(&self) -> &Arc<StoredObject> {
        match self {
            Self::Deleted(object) | Self::Marked(object) => object,
        }
    }
}
