//! The one thread that writes: what came together is one write and one sync, and only then seen and acknowledged.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::files::{File, Files};
use super::recovery::{LOG_MAGIC, OpenError, Recovered, log_name};
use super::{frame, snapshot};
use crate::generic::clock::Clock;
use crate::storage::expiry::Expiry;
use crate::storage::mvcc::{Mutation, Mvcc};
use crate::storage::{Expected, KeyValue, StorageError, Swap};

/// How many changes are written at once at most.
const BATCH: usize = 256;

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Request {
    Change(Wanted),
    /// Let go of the folder and say so.
    Close(oneshot::Sender<()>),
}

/// A change that somebody waits for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) key: Arc<str>,
    pub(super) expected: Expected,
    /// The new value; `None` to remove the key.
    pub(super) value: Option<Bytes>,
    /// How long the key stays.
    pub(super) ttl: Option<Duration>,
    pub(super) answer: oneshot::Sender<Result<Swap, StorageError>>,
}

#[derive(Debug)]
pub(super) struct Writer {
    files: Arc<dyn Files>,
    mvcc: Mvcc,
    expiry: Expiry,
    clock: Clock,
    log: Box<dyn File>,
    /// How long the log is without what failed.
    length: usize,
    /// Why nothing can be written any more.
    broken: Option<String>,
    buffer: Vec<u8>,
    /// A log this long is followed by a new one, at least.
    min_log_length: usize,
    /// How long the newest snapshot is: the log may become as long, so that no more is written twice than once.
    snapshot_length: Arc<AtomicUsize>,
    snapshot: Option<JoinHandle<()>>,
}

impl Writer {
    /// Goes on where the log ends.
    pub(super) fn open(
        files: Arc<dyn Files>,
        recovered: Recovered,
        expiry: Expiry,
        clock: Clock,
        min_log_length: usize,
    ) -> Result<Self, OpenError> {
        let Recovered {
            mvcc,
            log,
            snapshot_length,
        } = recovered;
        let opened = match log {
            Some((name, sound)) => files.append(&name, sound as u64).map(|file| (file, sound)),
            None => new_log(&*files, mvcc.revision() + 1).map(|file| (file, LOG_MAGIC.len())),
        };
        let (log, length) = opened.map_err(OpenError::io("open the log"))?;
        snapshot::remove_replaced(&*files).map_err(OpenError::io("remove old files"))?;
        Ok(Self {
            files,
            mvcc,
            expiry,
            clock,
            log,
            length,
            broken: None,
            buffer: Vec::new(),
            min_log_length,
            snapshot_length: Arc::new(snapshot_length.into()),
            snapshot: None,
        })
    }

    /// Writes until nobody can ask any more, or somebody asks to close.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut closed = Vec::new();
        while closed.is_empty() && requests.blocking_recv_many(&mut batch, BATCH) > 0 {
            let changes = batch.drain(..).filter_map(|request| match request {
                Request::Change(wanted) => Some(wanted),
                Request::Close(answer) => {
                    closed.push(answer);
                    None
                }
            });
            self.write(changes);
            if self.length >= self.min_log_length.max(self.snapshot_length.load(Ordering::Relaxed)) {
                self.rotate();
            }
        }
        if let Some(snapshot) = self.snapshot.take() {
            // What went wrong in it is in the log messages.
            let _ = snapshot.join();
        }
        drop((requests, self));
        for answer in closed {
            // Who does not wait any more does not want to know.
            let _ = answer.send(());
        }
    }

    fn write(&mut self, requests: impl Iterator<Item = Wanted>) {
        let first = self.mvcc.revision() + 1;
        let mut mutations = Vec::new();
        let mut answers = Vec::new();
        // What the keys will be, once this is written.
        let mut changed: HashMap<Arc<str>, Option<KeyValue>> = HashMap::new();
        let now = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        for request in requests {
            let current = match changed.get(&request.key) {
                Some(current) => current.clone(),
                None => self.mvcc.current(&request.key),
            };
            let next = first + mutations.len() as u64;
            if !request.expected.is(current.as_ref()) {
                let revision = next - 1;
                answers.push((request.answer, Swap::Conflict { current, revision }));
                continue;
            }
            let key = current.as_ref().map_or(request.key, |kv| kv.key.clone());
            let new = request.value.clone().map(|value| KeyValue {
                key: key.clone(),
                value,
                create_revision: current.map_or(next, |kv| kv.create_revision),
                mod_revision: next,
            });
            changed.insert(key.clone(), new);
            if let Some(ttl) = request.ttl {
                self.expiry.schedule(key.clone(), next, ttl);
            }
            mutations.push(Mutation {
                key,
                value: request.value,
                expires: request.ttl.map_or(0, |ttl| now + ttl.as_secs()),
            });
            answers.push((request.answer, Swap::Done { revision: next }));
        }
        let result = self.log(first, &mutations);
        if result.is_ok() {
            self.mvcc.commit(mutations);
        }
        for (answer, swap) in answers {
            // Who does not wait any more does not want to know.
            let _ = answer.send(result.clone().map(|()| swap));
        }
    }

    /// Returns when the changes are safe. After an error the log is as before.
    fn log(&mut self, first: u64, mutations: &[Mutation]) -> Result<(), StorageError> {
        if mutations.is_empty() {
            return Ok(());
        }
        let failed = |reason: String| StorageError::Backend {
            doing: "write to the log".to_owned(),
            reason,
        };
        if let Some(reason) = &self.broken {
            return Err(failed(reason.clone()));
        }
        self.buffer.clear();
        frame::write(&mut self.buffer, |content| {
            frame::put_changes(content, first, mutations)
        });
        if let Err(error) = self.log.write(&self.buffer) {
            // A full disk can have room again.
            if let Err(error) = self.log.cut(self.length as u64) {
                self.give_up(format!("an unfinished write cannot be taken back: {error}"));
            }
            return Err(failed(error.to_string()));
        }
        if let Err(error) = self.log.sync() {
            // Nobody knows what is on the disk now, and a second try would not tell.
            self.give_up(format!("the last write may be lost: {error}"));
            return Err(failed(error.to_string()));
        }
        self.length += self.buffer.len();
        Ok(())
    }

    fn give_up(&mut self, reason: String) {
        let reason = format!("{reason}; the store can only be read until it is opened again");
        tracing::error!("{reason}");
        self.broken = Some(reason);
    }

    /// Starts a new log, and a snapshot that replaces the old ones.
    fn rotate(&mut self) {
        if self.broken.is_some() || self.snapshot.as_ref().is_some_and(|snapshot| !snapshot.is_finished()) {
            return;
        }
        match new_log(&*self.files, self.mvcc.revision() + 1) {
            Ok(log) => (self.log, self.length) = (log, LOG_MAGIC.len()),
            // The old one goes on.
            Err(error) => return tracing::warn!(%error, "start a new log"),
        }
        if let Err(error) = self.files.sync_names() {
            return self.give_up(format!("a new log may be lost: {error}"));
        }
        let (files, mvcc, length) = (self.files.clone(), self.mvcc.clone(), self.snapshot_length.clone());
        let take = move || {
            // The oldest revision that can be read: so much can be looked back on after a restart, too.
            let (entries, revision) = mvcc.oldest_state();
            match snapshot::take(&*files, &entries, revision) {
                Ok(written) => length.store(written, Ordering::Relaxed),
                Err(error) => tracing::warn!(%error, "take a snapshot"),
            }
        };
        match std::thread::Builder::new().name("snapshot".to_owned()).spawn(take) {
            Ok(snapshot) => self.snapshot = Some(snapshot),
            Err(error) => tracing::warn!(%error, "start the thread of a snapshot"),
        }
    }
}

/// A new log gets its name when it is ready for changes.
fn new_log(files: &dyn Files, first_revision: u64) -> io::Result<Box<dyn File>> {
    let name = log_name(first_revision);
    let unfinished = format!("{name}.tmp");
    let mut log = files.create(&unfinished)?;
    log.write(LOG_MAGIC)?;
    log.sync()?;
    files.rename(&unfinished, &name)?;
    Ok(log)
}
