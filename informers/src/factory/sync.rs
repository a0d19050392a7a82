//! Why caches are not ready.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::reflector::ReflectorError;

/// Some informers have no filled store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CacheSyncError {
    /// Each of them, with the reason.
    pub informers: Vec<NotSynced>,
}

/// An informer without a filled store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NotSynced {
    /// What it informs about: `pods in namespace shop`.
    pub informer: String,
    /// Why it is not ready.
    pub reason: NotSyncedReason,
    /// What went wrong last, if anything.
    pub last_error: Option<Arc<ReflectorError>>,
}

/// Why an informer has no filled store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSyncedReason {
    /// It was not started.
    NotStarted,
    /// It was stopped.
    Stopped,
    /// It did not get there in this time.
    TimedOut(Duration),
}

impl CacheSyncError {
    pub(super) fn check(results: Vec<Result<(), NotSynced>>) -> Result<(), Self> {
        let mut informers: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        if informers.is_empty() {
            return Ok(());
        }
        informers.sort_by(|one, other| one.informer.cmp(&other.informer));
        Err(Self { informers })
    }
}

impl fmt::Display for CacheSyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("caches are not ready")?;
        for (index, informer) in self.informers.iter().enumerate() {
            write!(f, "{} {informer}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for CacheSyncError {}

impl fmt::Display for NotSynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.informer, self.reason)?;
        match &self.last_error {
            Some(error) => write!(f, ", last error: {error}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for NotSyncedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("not started"),
            Self::Stopped => f.write_str("stopped"),
            Self::TimedOut(limit) => write!(f, "not listed within {limit:?}"),
        }
    }
}
