//! Storage in a folder: what was acknowledged is there after a crash.
//!
//! All versions are in memory, as in the memory store; the folder holds what is needed to have them again:
//!
//! - the log, files `log-<revision>`: every change from that revision on, in frames with a checksum. Changes that come
//!   together are written and synced together, and are seen and acknowledged after that;
//! - a snapshot, `snapshot-<revision>`: all keys as they were at that revision. It makes older logs superfluous;
//! - `lock`, so that only one process has the folder.
//!
//! Opening reads the newest snapshot and the logs behind it. A write that was not finished at the end of the last log
//! was never acknowledged and is cut off; anything else that does not fit is an error, never a silent loss.

mod files;
mod frame;
mod recovery;
mod snapshot;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};

use self::files::{Files, Folder};
pub use self::recovery::OpenError;
use self::writer::{Request, Wanted, Writer};
use super::expiry::Expiry;
pub use super::mvcc::Limits;
use super::mvcc::Mvcc;
use super::{Change, Expected, Get, Range, RangeRequest, Storage, StorageError, StorageWatch, Swap};
use crate::generic::clock::Clock;

/// How many changes wait to be written before who brings more has to wait.
const QUEUE: usize = 1024;
/// How long a process that was told to stop may take to let go of the folder.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How a store on disk works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiskOptions {
    /// How much is kept of the past.
    pub limits: Limits,
    /// Tells when keys expire.
    pub clock: Clock,
    /// After how many bytes of the log a snapshot is taken, unless the last one was larger: then after as many as it has.
    pub min_log_length: usize,
}

impl Default for DiskOptions {
    /// Snapshots after 64 MiB at the earliest.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            clock: Clock::default(),
            min_log_length: 64 << 20,
        }
    }
}

/// A [`Storage`] in a folder. Cloning gives another handle to the same store; it is closed with the last one, or before.
#[derive(Clone)]
pub struct DiskStorage {
    mvcc: Mvcc,
    requests: mpsc::Sender<Request>,
    /// Keys expire as long as this is there.
    _expiry: Expiry,
}

impl DiskStorage {
    /// Opens the store in a folder, which is made if it is not there. Must be called inside of a Tokio runtime.
    ///
    /// # Errors
    /// When another process has the folder, when it cannot be read, or when a file is damaged.
    pub async fn open(path: &Path, options: DiskOptions) -> Result<Self, OpenError> {
        let shown = path.display();
        let mut patience = LOCK_PATIENCE;
        let folder = loop {
            match Folder::open(path).map_err(OpenError::io(format!("open {shown}")))? {
                Some(folder) => break folder,
                None if patience.is_zero() => return Err(OpenError::InUse(shown.to_string())),
                None => tokio::time::sleep(LOCK_PAUSE).await,
            }
            patience = patience.saturating_sub(LOCK_PAUSE);
        };
        Self::open_files(Arc::new(folder), options)
    }

    fn open_files(files: Arc<dyn Files>, options: DiskOptions) -> Result<Self, OpenError> {
        let recovered = recovery::recover(&*files, options.limits)?;
        let mvcc = recovered.mvcc.clone();
        let (requests, receiver) = mpsc::channel(QUEUE);
        let expiry = expiry_of(&requests);
        let now = options.clock.now().as_second();
        for (key, at, revision) in mvcc.expiring() {
            let left = u64::try_from(at.cast_signed() - now).unwrap_or_default();
            expiry.schedule(key, revision, Duration::from_secs(left));
        }
        let writer = Writer::open(files, recovered, expiry.clone(), options.clock, options.min_log_length)?;
        std::thread::Builder::new()
            .name("storage".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(OpenError::io("start the thread that writes"))?;
        Ok(Self {
            mvcc,
            requests,
            _expiry: expiry,
        })
    }
}

/// Removes expired keys as any other change is made. Does not keep the store open.
fn expiry_of(requests: &mpsc::Sender<Request>) -> Expiry {
    let requests = requests.downgrade();
    Expiry::start(Box::new(move |key, revision| {
        let requests = requests.upgrade();
        async move {
            let Some(requests) = requests else { return true };
            let removed = change(&requests, key, Expected::Revision(revision), Change::Delete);
            removed.await.is_ok()
        }
        .boxed()
    }))
}

async fn change(
    requests: &mpsc::Sender<Request>,
    key: Arc<str>,
    expected: Expected,
    change: Change,
) -> Result<Swap, StorageError> {
    let (value, ttl) = match change {
        Change::Put { value, ttl } => (Some(value), ttl.map(Duration::from_secs)),
        Change::Delete => (None, None),
    };
    let (answer, answered) = oneshot::channel();
    let wanted = Wanted {
        key,
        expected,
        value,
        ttl,
        answer,
    };
    requests
        .send(Request::Change(wanted))
        .await
        .map_err(|_| StorageError::Closed)?;
    answered.await.unwrap_or(Err(StorageError::Closed))
}

#[async_trait]
impl Storage for DiskStorage {
    async fn get(&self, key: &str, revision: Option<u64>) -> Result<Get, StorageError> {
        self.mvcc.get(key, revision)
    }

    async fn range(&self, range: &RangeRequest<'_>) -> Result<Range, StorageError> {
        self.mvcc.range(range)
    }

    async fn compare_and_swap(&self, key: &str, expected: Expected, what: Change) -> Result<Swap, StorageError> {
        change(&self.requests, key.into(), expected, what).await
    }

    async fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError> {
        self.mvcc.watch(prefix, from_revision)
    }

    async fn request_progress(&self, prefix: &str) -> Result<(), StorageError> {
        self.mvcc.report_progress(prefix);
        Ok(())
    }

    async fn compact(&self, revision: u64) -> Result<(), StorageError> {
        self.mvcc.compact(revision)
    }

    async fn current_revision(&self) -> Result<u64, StorageError> {
        Ok(self.mvcc.revision())
    }

    async fn oldest_revision(&self) -> Result<u64, StorageError> {
        Ok(self.mvcc.oldest())
    }

    async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.requests.send(Request::Close(closed)).await.is_ok() {
            // An error means the same: the writer is gone.
            let _ = done.await;
        }
    }
}

impl fmt::Debug for DiskStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DiskStorage(at revision {})", self.mvcc.revision())
    }
}
