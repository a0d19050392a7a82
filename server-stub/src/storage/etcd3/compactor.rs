//! Forgets old revisions every few minutes. Of several servers, one does it: the key `compact_rev_key` says how often
//! it has been done, and whoever counts it up has the turn.

use std::sync::Arc;
use std::time::Duration;

use super::messages::{Compare, CompareTarget, Operation, PutRequest, RangeRequest, TxnRequest, Wanted};
use super::{Calls, operation, revision};
use crate::storage::StorageError;

const KEY: &[u8] = b"compact_rev_key";

/// What a compactor knows: how often it was done, and the revision of that moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) number: i64,
    pub(super) revision: u64,
}

/// Runs until the store is dropped. What is forgotten is older than one interval, so that reads have that long.
pub(super) async fn run(calls: std::sync::Weak<Calls>, interval: Duration) {
    let mut turn = Turn::default();
    loop {
        tokio::time::sleep(interval).await;
        let Some(calls) = calls.upgrade() else {
            return;
        };
        match compact(&calls, turn).await {
            Ok(next) => turn = next,
            Err(error) => tracing::warn!(%error, "compact etcd"),
        }
    }
}

/// Takes the turn if it is still this one, and compacts what was there at the last one.
pub(super) async fn compact(calls: &Arc<Calls>, turn: Turn) -> Result<Turn, StorageError> {
    let request = TxnRequest {
        compare: vec![Compare {
            target: CompareTarget::Version.into(),
            key: KEY.to_vec(),
            wanted: Some(Wanted::Version(turn.number)),
        }],
        success: vec![operation(Operation::Put(PutRequest {
            key: KEY.to_vec(),
            value: turn.revision.to_string().into(),
            lease: 0,
        }))],
        failure: vec![operation(Operation::Range(RangeRequest {
            key: KEY.to_vec(),
            ..RangeRequest::default()
        }))],
    };
    let answer = calls.txn(request).await?;
    let now = revision(answer.header.unwrap_or_default().revision);
    if !answer.succeeded {
        let kv = answer
            .responses
            .into_iter()
            .find_map(|response| response.range?.kvs.pop());
        let number = kv.map_or(0, |kv| kv.version);
        return Ok(Turn { number, revision: now });
    }
    if turn.revision > 0 {
        tracing::debug!(revision = turn.revision, "compact etcd");
        calls.compact(turn.revision).await?;
    }
    Ok(Turn {
        number: turn.number + 1,
        revision: now,
    })
}
