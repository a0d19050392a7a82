//! What a reflector has done.

use std::sync::Arc;
use std::time::Duration;

use kubewire_client::ResourceVersion;
use tokio::time::Instant;

use super::ReflectorError;

/// Counters of a reflector since it started, and how it stands.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReflectorStats {
    /// Lists that replaced the store's content; a list of many pages counts once.
    pub lists: u64,
    /// Pages that were read.
    pub pages: u64,
    /// Watches that began.
    pub watches: u64,
    /// Objects that a watch reported as new.
    pub added: u64,
    /// Changes that a watch reported.
    pub modified: u64,
    /// Deletions that a watch reported.
    pub deleted: u64,
    /// Bookmarks.
    pub bookmarks: u64,
    /// Objects that could not be read.
    pub undecodable: u64,
    /// Everything that was reported as an error.
    pub errors: u64,
    /// How long the last list took.
    pub last_list_duration: Duration,
    /// When the server was last heard of: a list, an event or a bookmark. How long ago that is tells of a watch that
    /// has gone deaf.
    pub last_event: Option<Instant>,
    /// The version that has been reached.
    pub last_resource_version: ResourceVersion,
    /// What went wrong last; none once a later list or watch event has come through.
    pub last_error: Option<Arc<ReflectorError>>,
}

impl ReflectorStats {
    /// Lists after the first: each one is a watch that could not go on.
    pub fn relists(&self) -> u64 {
        self.lists.saturating_sub(1)
    }

    /// How long ago the server was last heard of; `None` before the first list.
    pub fn last_event_age(&self) -> Option<Duration> {
        self.last_event.map(|event| event.elapsed())
    }
}
