//! Storage in etcd: for state that outlives the machine, or that several servers share.
//!
//! A small client of etcd's gRPC API (3.5.8, 3.4.25 or newer), with the calls that storage needs and no more.

mod client;
mod compactor;
mod keys;
mod leases;
mod messages;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::uri::PathAndQuery;
use parking_lot::Mutex;
use tokio::sync::watch as progress;
use tonic::{Code, Status};

pub use self::client::Endpoints;
use self::client::{Client, Repeat, failure};
use self::keys::{Keys, ROOT, prefix_end};
use self::leases::LeaseManager;
use self::messages::{
    CompactionRequest, Compare, CompareTarget, DeleteRangeRequest, Empty, Operation, PutRequest, RangeResponse,
    RequestOp, TxnRequest, TxnResponse, Wanted,
};
use super::{Change, Expected, Get, Range, RangeRequest, Storage, StorageError, StorageWatch, Swap};

/// How many keys are read at once where all are wanted.
const PAGE: i64 = 2_000;

/// How etcd is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Etcd3Options {
    /// Where etcd is.
    pub endpoints: Endpoints,
    /// What stands in etcd for `/registry` at the start of keys. Default `/registry`.
    pub prefix: String,
    /// How often old revisions are forgotten; zero for never. Default 5 min.
    pub compaction_interval: Duration,
    /// How long a lease is used for further keys. Default 60 s.
    pub lease_reuse: Duration,
}

impl Default for Etcd3Options {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::default(),
            prefix: ROOT.to_owned(),
            compaction_interval: Duration::from_secs(5 * 60),
            lease_reuse: Duration::from_secs(60),
        }
    }
}

/// A [`Storage`] in etcd.
#[derive(Debug)]
pub struct Etcd3Storage {
    calls: Arc<Calls>,
    leases: LeaseManager,
    /// The revision that the watches on a prefix shall report.
    goals: Mutex<HashMap<String, progress::Sender<u64>>>,
}

impl Etcd3Storage {
    /// Waits until etcd answers, at most 20 s. Must be called inside of a Tokio runtime.
    ///
    /// # Errors
    /// When a file or URL is wrong, or nobody answers.
    pub async fn connect(options: &Etcd3Options) -> Result<Self, StorageError> {
        let calls = Arc::new(Calls {
            client: Client::connect(&options.endpoints).await?,
            keys: Keys::new(&options.prefix),
        });
        if !options.compaction_interval.is_zero() {
            tokio::spawn(compactor::run(Arc::downgrade(&calls), options.compaction_interval));
        }
        Ok(Self {
            calls,
            leases: LeaseManager::new(options.lease_reuse),
            goals: Mutex::default(),
        })
    }

    fn goal(&self, prefix: &str) -> progress::Receiver<u64> {
        let mut goals = self.goals.lock();
        goals.retain(|_, goal| goal.receiver_count() > 0);
        goals.entry(prefix.to_owned()).or_default().subscribe()
    }
}

#[async_trait]
impl Storage for Etcd3Storage {
    async fn get(&self, key: &str, revision: Option<u64>) -> Result<Get, StorageError> {
        let request = messages::RangeRequest {
            key: self.calls.keys.etcds(key),
            revision: revision.unwrap_or_default().cast_signed(),
            ..messages::RangeRequest::default()
        };
        let mut answer = self.calls.range(request).await?;
        Ok(Get {
            kv: answer.kvs.pop().and_then(|kv| self.calls.keys.key_value(kv)),
            revision: self::revision(answer.header.unwrap_or_default().revision),
        })
    }

    async fn range(&self, range: &RangeRequest<'_>) -> Result<Range, StorageError> {
        let keys = &self.calls.keys;
        let limit = i64::try_from(range.limit).unwrap_or(i64::MAX);
        let mut request = messages::RangeRequest {
            key: keys.etcds(range.from.max(range.prefix)),
            range_end: prefix_end(&keys.etcds(range.prefix)),
            limit: if limit == 0 { PAGE } else { limit },
            revision: range.revision.unwrap_or_default().cast_signed(),
            ..messages::RangeRequest::default()
        };
        let mut answer = self.calls.range(request.clone()).await?;
        let at = answer.header.unwrap_or_default().revision;
        if request.revision == 0 {
            request.revision = at;
        }
        let count = usize::try_from(answer.count).unwrap_or_default();
        let mut kvs = Vec::with_capacity(if limit == 0 { count } else { answer.kvs.len() });
        loop {
            let last = answer.kvs.last().map(|kv| [&kv.key[..], b"\0"].concat());
            kvs.extend(answer.kvs.into_iter().filter_map(|kv| keys.key_value(kv)));
            match last {
                Some(behind) if limit == 0 && answer.more => request.key = behind,
                _ => break,
            }
            answer = self.calls.range(request.clone()).await?;
        }
        let revision = revision(at);
        Ok(Range { kvs, revision, count })
    }

    async fn compare_and_swap(&self, key: &str, expected: Expected, change: Change) -> Result<Swap, StorageError> {
        let wanted = match expected {
            Expected::Absent => 0,
            Expected::Revision(revision) => revision.cast_signed(),
        };
        let ttl = match &change {
            Change::Put { ttl, .. } => *ttl,
            Change::Delete => None,
        };
        let key = self.calls.keys.etcds(key);
        loop {
            let lease = match ttl {
                Some(ttl) => self.leases.lease(&self.calls.client, ttl).await?,
                None => 0,
            };
            let success = match &change {
                Change::Put { value, .. } => Operation::Put(PutRequest {
                    key: key.clone(),
                    value: value.clone(),
                    lease,
                }),
                Change::Delete => Operation::Delete(DeleteRangeRequest { key: key.clone() }),
            };
            let request = TxnRequest {
                compare: vec![Compare {
                    target: CompareTarget::ModRevision.into(),
                    key: key.clone(),
                    wanted: Some(Wanted::ModRevision(wanted)),
                }],
                success: vec![operation(success)],
                failure: vec![operation(Operation::Range(messages::RangeRequest {
                    key: key.clone(),
                    ..messages::RangeRequest::default()
                }))],
            };
            match self.calls.txn(request).await {
                Err(StorageError::Refused(reason)) if reason == "etcdserver: requested lease not found" => {
                    self.leases.forget(lease).await;
                }
                answer => return Ok(self.calls.swap(answer?)),
            }
        }
    }

    async fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError> {
        // The watch itself would tell later that its revision is too old.
        let request = messages::RangeRequest {
            key: self.calls.keys.etcds(prefix),
            revision: from_revision.cast_signed(),
            count_only: true,
            ..messages::RangeRequest::default()
        };
        match self.calls.range(request).await {
            Err(error @ StorageError::Compacted { .. }) => return Err(error),
            Err(StorageError::Future { .. }) | Ok(_) => {}
            Err(error) => return Err(error),
        }
        let goal = self.goal(prefix);
        // What is there already is reported at once, and how far that goes.
        self.request_progress(prefix).await?;
        watch::watch(self.calls.clone(), prefix, from_revision.max(1), goal).await
    }

    async fn request_progress(&self, prefix: &str) -> Result<(), StorageError> {
        let seen = self.calls.client.seen_revision();
        if let Some(goal) = self.goals.lock().get(prefix) {
            goal.send_if_modified(|goal| {
                let further = seen > *goal;
                *goal = seen.max(*goal);
                further
            });
        }
        Ok(())
    }

    async fn compact(&self, revision: u64) -> Result<(), StorageError> {
        self.calls.compact(revision).await
    }

    async fn current_revision(&self) -> Result<u64, StorageError> {
        let answer = self.get("\0", None).await?;
        Ok(answer.revision)
    }
}

/// The calls on keys and values.
#[derive(Debug)]
struct Calls {
    client: Client,
    keys: Keys,
}

impl Calls {
    async fn range(&self, request: messages::RangeRequest) -> Result<RangeResponse, StorageError> {
        let wanted = revision(request.revision);
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Range");
        let answer: Result<RangeResponse, Status> = self.client.unary(path, request, Repeat::Safe).await;
        let answer = answer.map_err(|status| self.error(&status, wanted))?;
        self.saw(answer.header);
        Ok(answer)
    }

    async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, StorageError> {
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Txn");
        let answer: Result<TxnResponse, Status> = self.client.unary(path, request, Repeat::Unsafe).await;
        let answer = answer.map_err(|status| failure(&status))?;
        self.saw(answer.header);
        Ok(answer)
    }

    async fn compact(&self, revision: u64) -> Result<(), StorageError> {
        let request = CompactionRequest {
            revision: revision.cast_signed(),
        };
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Compact");
        let answer: Result<Empty, Status> = self.client.unary(path, request, Repeat::Unsafe).await;
        answer.map(drop).map_err(|status| self.error(&status, revision))
    }

    fn swap(&self, answer: TxnResponse) -> Swap {
        let revision = revision(answer.header.unwrap_or_default().revision);
        if answer.succeeded {
            return Swap::Done { revision };
        }
        let found = answer
            .responses
            .into_iter()
            .find_map(|response| response.range?.kvs.pop());
        let current = found.and_then(|kv| self.keys.key_value(kv));
        Swap::Conflict { current, revision }
    }

    fn saw(&self, header: Option<messages::ResponseHeader>) {
        self.client.saw_revision(revision(header.unwrap_or_default().revision));
    }

    fn error(&self, status: &Status, wanted: u64) -> StorageError {
        match (status.code(), status.message()) {
            (Code::OutOfRange, message) if message.ends_with("compacted") => StorageError::Compacted {
                wanted,
                oldest: wanted + 1,
            },
            (Code::OutOfRange, message) if message.ends_with("future revision") => StorageError::Future {
                wanted,
                current: self.client.seen_revision(),
            },
            _ => failure(status),
        }
    }
}

fn operation(operation: Operation) -> RequestOp {
    RequestOp {
        operation: Some(operation),
    }
}

fn revision(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}
