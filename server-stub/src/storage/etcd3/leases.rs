//! Leases: what makes keys go away by themselves. Keys that come shortly after each other share one.

use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::client::{Client, Repeat, failure};
use super::messages::{LeaseGrantRequest, LeaseGrantResponse};
use crate::storage::StorageError;

/// A lease holds at most so many keys: etcd removes them all at once.
const MOST_KEYS: usize = 1000;

/// How long a lease is used for new keys.
#[derive(Debug)]
pub(super) struct LeaseManager {
    reuse: Duration,
    last: Mutex<Option<Lease>>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    id: i64,
    expires: Instant,
    keys: usize,
}

impl LeaseManager {
    pub(super) fn new(reuse: Duration) -> Self {
        let last = Mutex::default();
        Self { reuse, last }
    }

    /// A lease that lasts at least `ttl` seconds, and not much longer.
    pub(super) async fn lease(&self, client: &Client, ttl: u64) -> Result<i64, StorageError> {
        let mut last = self.last.lock().await;
        let ttl = Duration::from_secs(ttl);
        // What shares a lease lives longer than it should: at most by a twentieth.
        let reuse = self.reuse.min(ttl / 20);
        let now = Instant::now();
        if let Some(lease) = &mut *last {
            let fits = lease.expires >= now + ttl && lease.expires <= now + ttl + reuse;
            if fits && lease.keys < MOST_KEYS {
                lease.keys += 1;
                return Ok(lease.id);
            }
        }
        let ttl = ttl + Duration::from_secs(reuse.as_secs());
        let request = LeaseGrantRequest {
            ttl: i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX),
        };
        let path = PathAndQuery::from_static("/etcdserverpb.Lease/LeaseGrant");
        // A lease without keys that nobody knows of just ends.
        let granted: Result<LeaseGrantResponse, _> = client.unary(path, request, Repeat::Safe).await;
        let id = granted.map_err(|status| failure(&status))?.id;
        let expires = now + ttl;
        *last = Some(Lease { id, expires, keys: 1 });
        Ok(id)
    }

    /// Forgets a lease that etcd does not know any more.
    pub(super) async fn forget(&self, id: i64) {
        self.last.lock().await.take_if(|lease| lease.id == id);
    }
}
