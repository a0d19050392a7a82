//! The running watches, each with a bounded buffer.

use std::sync::Arc;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::storage::{StorageError, StorageEvent, WatchBatch};

#[derive(Debug, Default)]
pub(super) struct Watchers {
    watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    prefix: Arc<str>,
    sender: mpsc::Sender<Signal>,
}

#[derive(Debug)]
enum Signal {
    Event(Arc<StorageEvent>),
    Progress(u64),
}

impl Watchers {
    /// Hands an event to those who watch its key. Who has no room left is ended, and so is who has gone away.
    pub(super) fn publish(&mut self, event: &Arc<StorageEvent>) {
        self.watchers.retain(|watcher| {
            let concerned = event.key.starts_with(&*watcher.prefix);
            !concerned || watcher.sender.try_send(Signal::Event(event.clone())).is_ok()
        });
    }

    /// Who has no room left has events to read first, and they tell the progress.
    pub(super) fn report_progress(&mut self, prefix: &str, revision: u64) {
        self.watchers.retain(|watcher| {
            if *watcher.prefix != *prefix {
                return true;
            }
            let sent = watcher.sender.try_send(Signal::Progress(revision));
            !matches!(sent, Err(TrySendError::Closed(_)))
        });
    }

    pub(super) fn add(
        &mut self,
        prefix: &str,
        buffer: usize,
    ) -> impl Stream<Item = Result<WatchBatch, StorageError>> + Send + use<> {
        let (sender, receiver) = mpsc::channel(buffer);
        let prefix: Arc<str> = prefix.into();
        self.watchers.push(Watcher {
            prefix: prefix.clone(),
            sender,
        });
        futures::stream::unfold(Some(receiver), move |receiver| read(receiver, prefix.clone(), buffer))
    }
}

type Step = (Result<WatchBatch, StorageError>, Option<mpsc::Receiver<Signal>>);

/// The next batch: all that is in the buffer. A buffer whose sender is gone had no room left.
async fn read(receiver: Option<mpsc::Receiver<Signal>>, prefix: Arc<str>, limit: usize) -> Option<Step> {
    let mut receiver = receiver?;
    let mut signals = Vec::new();
    if receiver.recv_many(&mut signals, limit.max(1)).await == 0 {
        let prefix = prefix.to_string();
        return Some((Err(StorageError::SlowWatcher { prefix, limit }), None));
    }
    let mut batch = WatchBatch::default();
    for signal in signals {
        match signal {
            Signal::Event(event) => {
                batch.revision = event.revision;
                batch.events.push(event);
            }
            Signal::Progress(revision) => batch.revision = revision,
        }
    }
    Some((Ok(batch), Some(receiver)))
}
