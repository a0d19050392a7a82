//! One informer event as the views show it.

use std::time::Duration;

/// What happened to an object, in the informers' terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Update,
    Delete,
    Sync,
}

impl Change {
    pub(crate) const ALL: [Self; 4] = [Self::Add, Self::Update, Self::Delete, Self::Sync];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Sync => "sync",
        }
    }
}

/// One event, ready to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Since the program began.
    pub(crate) at: Duration,
    pub(crate) change: Change,
    pub(crate) kind: &'static str,
    /// `namespace/name`, or the name alone.
    pub(crate) key: String,
    pub(crate) resource_version: String,
}
