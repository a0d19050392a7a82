//! One watch: a stream of its own to etcd, opened again where it broke off.
//!
//! Each has its own stream so that a progress report of etcd, which is about all watches of a stream, is about this one.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch as progress;
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::client::failure;
use super::keys::{Keys, prefix_end};
use super::messages::{
    Empty, Event, EventType, KeyValue, WatchCreateRequest, WatchRequest, WatchRequestUnion, WatchResponse,
};
use super::{Calls, revision};
use crate::storage::{StorageError, StorageEvent, StorageWatch, WatchBatch};

/// The pause before a watch that broke off is opened again.
const RETRY: Duration = Duration::from_millis(200);
/// How often etcd is asked again: it does not answer while a watch has yet to catch up.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Starts a watch. `goal` is a revision that it shall report to have reached.
pub(super) async fn watch(
    calls: Arc<Calls>,
    prefix: &str,
    from: u64,
    goal: progress::Receiver<u64>,
) -> Result<StorageWatch, StorageError> {
    let mut watch = Watch {
        calls,
        prefix: prefix.to_owned(),
        next: from,
        goal,
        asked: None,
        stream: None,
        fragments: Vec::new(),
    };
    watch.open().await.map_err(|status| failure(&status))?;
    let batches = futures::stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        let batch = watch.batch().await;
        let goes_on = batch.is_ok();
        Some((batch, goes_on.then_some(watch)))
    });
    Ok(batches.boxed())
}

struct Watch {
    calls: Arc<Calls>,
    prefix: String,
    /// The revision that has not been reported yet.
    next: u64,
    goal: progress::Receiver<u64>,
    /// When etcd was asked for progress last.
    asked: Option<Instant>,
    stream: Option<Stream>,
    /// The events of an answer that came in parts.
    fragments: Vec<Event>,
}

struct Stream {
    requests: UnboundedSender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

impl Watch {
    async fn batch(&mut self) -> Result<WatchBatch, StorageError> {
        loop {
            let Some(stream) = &mut self.stream else {
                if let Err(status) = self.open().await {
                    self.broke_off(&failure(&status).to_string()).await;
                }
                continue;
            };
            let behind = *self.goal.borrow_and_update() >= self.next;
            let ask_at = self.asked.map_or_else(Instant::now, |asked| asked + ASK_AGAIN);
            tokio::select! {
                response = stream.responses.message() => match response {
                    Ok(Some(response)) => {
                        if let Some(batch) = self.read(response)? {
                            return Ok(batch);
                        }
                    }
                    Ok(None) => self.broke_off("it was closed").await,
                    Err(status) => self.broke_off(&failure(&status).to_string()).await,
                },
                changed = self.goal.changed(), if !behind => changed.map_err(|_| StorageError::Closed)?,
                () = tokio::time::sleep_until(ask_at), if behind => {
                    self.asked = Some(Instant::now());
                    // If the stream is gone, reading it tells why.
                    let _ = stream.requests.send(request(WatchRequestUnion::Progress(Empty {})));
                }
            }
        }
    }

    async fn open(&mut self) -> Result<(), Status> {
        let (requests, receiver) = unbounded_channel();
        let key = self.calls.keys.etcds(&self.prefix);
        let create = WatchCreateRequest {
            range_end: prefix_end(&key),
            key,
            start_revision: self.next.cast_signed(),
            progress_notify: true,
            prev_kv: true,
            fragment: true,
        };
        // The receiver is right here.
        let _ = requests.send(request(WatchRequestUnion::Create(create)));
        let responses = self.calls.client.watch(receiver).await?;
        self.stream = Some(Stream { requests, responses });
        Ok(())
    }

    async fn broke_off(&mut self, reason: &str) {
        tracing::warn!(
            prefix = self.prefix,
            from = self.next,
            reason,
            "a watch on etcd broke off"
        );
        self.stream = None;
        self.fragments.clear();
        tokio::time::sleep(RETRY).await;
    }

    /// What an answer tells; nothing if it only says that the watch is there, or more is to come.
    fn read(&mut self, response: WatchResponse) -> Result<Option<WatchBatch>, StorageError> {
        if response.canceled {
            return match response.compact_revision {
                0 => Err(StorageError::Refused(response.cancel_reason)),
                oldest => Err(StorageError::Compacted {
                    wanted: self.next,
                    oldest: revision(oldest),
                }),
            };
        }
        if response.created {
            self.asked = None;
            return Ok(None);
        }
        self.fragments.extend(response.events);
        if response.fragment {
            return Ok(None);
        }
        let events = self.fragments.drain(..);
        let events: Vec<_> = events
            .filter_map(|event| storage_event(event, &self.calls.keys))
            .collect();
        // The revision in the header can be ahead of events that are still to come, unless there are none.
        let reached = match events.last() {
            Some(event) => event.revision,
            None => revision(response.header.unwrap_or_default().revision),
        };
        self.calls.client.saw_revision(reached);
        if reached < self.next {
            return Ok(None);
        }
        self.next = reached + 1;
        let revision = reached;
        Ok(Some(WatchBatch { events, revision }))
    }
}

fn request(request: WatchRequestUnion) -> WatchRequest {
    WatchRequest { request: Some(request) }
}

fn storage_event(event: Event, keys: &Keys) -> Option<Arc<StorageEvent>> {
    let kind = event.kind();
    let kv = event.kv?;
    let previous = event.prev_kv.map(
        |KeyValue {
             value, mod_revision, ..
         }| (value.into(), revision(mod_revision)),
    );
    Some(Arc::new(StorageEvent {
        key: keys.ours(kv.key)?,
        value: (kind == EventType::Put).then(|| kv.value.into()),
        previous,
        revision: revision(kv.mod_revision),
    }))
}
