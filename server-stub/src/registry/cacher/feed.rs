//! The task that keeps the cache up to date: list, then watch, and again when the watch ends.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::Shared;
use crate::registry::object::StoredObject;
use crate::storage::{RangeRequest, StorageError, StorageEvent, WatchBatch};

/// The pause between two tries.
const RETRY: Duration = Duration::from_millis(200);

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        match list_and_watch(&shared).await {
            Ok(()) => tracing::debug!(prefix = shared.prefix, "the watch on storage ended"),
            Err(StorageError::Closed) => return,
            Err(error) => tracing::warn!(prefix = shared.prefix, %error, "the watch cache starts anew"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn list_and_watch(shared: &Shared) -> Result<(), StorageError> {
    // As far back as the store remembers: who watched before a restart goes on where it was.
    let start = shared.storage.oldest_revision().await?;
    let request = RangeRequest {
        prefix: &shared.prefix,
        revision: Some(start),
        ..RangeRequest::default()
    };
    let range = shared.storage.range(&request).await?;
    let objects = range.kvs.into_iter();
    let objects = objects.filter_map(|kv| shared.object(kv.key, kv.value, kv.mod_revision));
    let mut watch = shared.storage.watch(&shared.prefix, start + 1).await?;
    // Until the cache has what is there already, readers wait.
    let complete = range.revision == start;
    shared.revision.send_replace(if complete { start } else { 0 });
    shared.state.write().replace(objects.collect(), start);
    while let Some(batch) = watch.next().await {
        shared.apply(batch?);
    }
    Ok(())
}

impl Shared {
    fn apply(&self, batch: WatchBatch) {
        let decode = |event: &Arc<StorageEvent>| {
            let value = event.value.clone();
            let object = value.and_then(|value| self.object(event.key.clone(), value, event.revision));
            (event.clone(), object)
        };
        let decoded: Vec<_> = batch.events.iter().map(decode).collect();
        let mut state = self.state.write();
        for (event, object) in decoded {
            state.apply(&event.key, object, event.revision);
        }
        state.progress(batch.revision);
        drop(state);
        self.revision
            .send_modify(|revision| *revision = batch.revision.max(*revision));
    }

    /// An object that cannot be read is reported and left out.
    fn object(&self, key: Arc<str>, value: bytes::Bytes, revision: u64) -> Option<Arc<StoredObject>> {
        match StoredObject::decode(key.clone(), value, revision, self.codec.clone()) {
            Ok(object) => Some(Arc::new(object)),
            Err(error) => {
                tracing::error!(%key, revision, %error, "an object in storage cannot be read");
                None
            }
        }
    }
}
