use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::StreamExt;

use super::compactor::{Turn, compact};
use super::*;
use crate::generic::certificates::Authority;
use crate::generic::clock::Clock;
use crate::storage::KeyValue;
use crate::storage::{StorageEvent, WatchBatch, suite};
use crate::testing::Etcd;

/// A part of etcd that looks like a fresh one: its keys start with a name and its revisions are counted from 1.
struct Part {
    store: Arc<Etcd3Storage>,
    name: String,
    /// What is taken off revisions.
    base: u64,
}

impl Part {
    async fn new(store: Arc<Etcd3Storage>, name: String) -> Self {
        let base = store.current_revision().await.unwrap() - 1;
        Self { store, name, base }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.name)
    }

    fn own_key(&self, key: &str) -> Arc<str> {
        key.strip_prefix(&self.name).unwrap().into()
    }

    fn kv(&self, kv: KeyValue) -> KeyValue {
        KeyValue {
            key: self.own_key(&kv.key),
            value: kv.value,
            create_revision: kv.create_revision - self.base,
            mod_revision: kv.mod_revision - self.base,
        }
    }

    fn batch(&self, batch: WatchBatch) -> WatchBatch {
        let event = |event: &Arc<StorageEvent>| {
            Arc::new(StorageEvent {
                key: self.own_key(&event.key),
                value: event.value.clone(),
                previous: event.previous.clone().map(|(value, at)| (value, at - self.base)),
                revision: event.revision - self.base,
            })
        };
        WatchBatch {
            events: batch.events.iter().map(event).collect(),
            revision: batch.revision - self.base,
        }
    }
}

#[async_trait]
impl Storage for Part {
    async fn get(&self, key: &str, revision: Option<u64>) -> Result<Get, StorageError> {
        let got = self.store.get(&self.key(key), revision.map(|r| r + self.base)).await?;
        Ok(Get {
            kv: got.kv.map(|kv| self.kv(kv)),
            revision: got.revision - self.base,
        })
    }

    async fn range(&self, range: &RangeRequest<'_>) -> Result<Range, StorageError> {
        let request = RangeRequest {
            prefix: &self.key(range.prefix),
            from: &self.key(range.from),
            limit: range.limit,
            revision: range.revision.map(|r| r + self.base),
        };
        let range = self.store.range(&request).await?;
        Ok(Range {
            kvs: range.kvs.into_iter().map(|kv| self.kv(kv)).collect(),
            revision: range.revision - self.base,
            count: range.count,
        })
    }

    async fn compare_and_swap(&self, key: &str, expected: Expected, change: Change) -> Result<Swap, StorageError> {
        let expected = match expected {
            Expected::Revision(revision) => Expected::Revision(revision + self.base),
            absent => absent,
        };
        Ok(
            match self.store.compare_and_swap(&self.key(key), expected, change).await? {
                Swap::Done { revision } => Swap::Done {
                    revision: revision - self.base,
                },
                Swap::Conflict { current, revision } => Swap::Conflict {
                    current: current.map(|kv| self.kv(kv)),
                    revision: revision - self.base,
                },
            },
        )
    }

    async fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError> {
        let watch = self.store.watch(&self.key(prefix), from_revision + self.base).await?;
        let part = Self {
            store: self.store.clone(),
            name: self.name.clone(),
            base: self.base,
        };
        Ok(watch.map(move |batch| batch.map(|batch| part.batch(batch))).boxed())
    }

    async fn request_progress(&self, prefix: &str) -> Result<(), StorageError> {
        self.store.request_progress(&self.key(prefix)).await
    }

    async fn compact(&self, revision: u64) -> Result<(), StorageError> {
        self.store.compact(revision + self.base).await
    }

    async fn current_revision(&self) -> Result<u64, StorageError> {
        Ok(self.store.current_revision().await? - self.base)
    }
}

async fn connect(etcd: &Etcd) -> Arc<Etcd3Storage> {
    Arc::new(Etcd3Storage::connect(&etcd.options()).await.unwrap())
}

fn put(value: &str, ttl: Option<u64>) -> Change {
    let value = value.to_owned().into();
    Change::Put { value, ttl }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite() {
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let store = connect(&etcd).await;
    let parts = AtomicUsize::new(0);
    let new = async || {
        let name = format!("/part-{}", parts.fetch_add(1, Ordering::Relaxed));
        Arc::new(Part::new(store.clone(), name).await)
    };
    suite::run(new).await;
}

#[tokio::test]
async fn keys_with_a_lease_go_away() {
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let store = connect(&etcd).await;
    let mut watch = store.watch("/e/", 1).await.unwrap();
    for key in ["/e/1", "/e/2"] {
        let swap = store.compare_and_swap(key, Expected::Absent, put("x", Some(1))).await;
        assert!(matches!(swap, Ok(Swap::Done { .. })), "{swap:?}");
    }
    let mut deleted = 0;
    while deleted < 2 {
        let batch = watch.next().await.unwrap().unwrap();
        deleted += batch.events.iter().filter(|event| event.value.is_none()).count();
    }
}

#[tokio::test]
async fn keys_share_leases_for_a_while() {
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let store = connect(&etcd).await;
    let lease = async |ttl| store.leases.lease(&store.calls.client, ttl).await.unwrap();
    let first = lease(100).await;
    assert_eq!(lease(100).await, first);
    let longer = lease(3600).await;
    assert_ne!(longer, first);
    assert_ne!(lease(100).await, longer);
    // One that etcd does not know any more is not insisted on.
    let gone = lease(200).await;
    let path = PathAndQuery::from_static("/etcdserverpb.Lease/LeaseRevoke");
    let revoke = messages::LeaseGrantRequest { ttl: gone };
    let _: Empty = store.calls.client.unary(path, revoke, Repeat::Safe).await.unwrap();
    let swap = store
        .compare_and_swap("/a", Expected::Absent, put("x", Some(200)))
        .await;
    assert!(matches!(swap, Ok(Swap::Done { .. })), "{swap:?}");
}

#[tokio::test]
async fn a_watch_survives_a_restart_of_etcd() {
    let Some(mut etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let store = connect(&etcd).await;
    suite::put(&*store, "/w/1", "before").await;
    let mut watch = store.watch("/w/", 1).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().events.len(), 1);
    etcd.kill();
    let refused = store.get("/w/1", None).await;
    assert!(matches!(refused, Err(StorageError::Unavailable { .. })), "{refused:?}");
    etcd.restart().await.unwrap();
    suite::put(&*store, "/w/1", "after").await;
    let event = watch.next().await.unwrap().unwrap().events.pop().unwrap();
    assert_eq!(event.value.as_deref(), Some(&b"after"[..]));
    assert_eq!(event.previous.as_ref().map(|p| &p.0[..]), Some(&b"before"[..]));
}

#[tokio::test]
async fn another_endpoint_is_taken_when_one_is_down() {
    let (Some(first), Some(mut second)) = (Etcd::start().await.unwrap(), Etcd::start().await.unwrap()) else {
        return;
    };
    second.kill();
    let mut options = first.options();
    options.endpoints.servers.insert(0, second.url().to_owned());
    let store = Etcd3Storage::connect(&options).await.unwrap();
    suite::put(&store, "/a", "x").await;
    assert!(store.watch("/a", 1).await.unwrap().next().await.unwrap().is_ok());
}

#[tokio::test]
async fn errors_say_what_etcd_says() {
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let store = connect(&etcd).await;
    let large = put(&"x".repeat(1_600_000), None);
    let refused = store.compare_and_swap("/a", Expected::Absent, large).await;
    assert_eq!(
        refused,
        Err(StorageError::Refused("etcdserver: request is too large".to_owned()))
    );
    let wrong = Etcd3Options {
        endpoints: Endpoints {
            servers: vec![etcd.url().to_owned()],
            ca_file: Some("/no/such/file".into()),
            ..Endpoints::default()
        },
        ..Etcd3Options::default()
    };
    let error = Etcd3Storage::connect(&wrong).await.unwrap_err().to_string();
    assert!(error.starts_with("read /no/such/file: "), "{error}");
}

#[tokio::test]
async fn one_of_several_servers_compacts() {
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let (one, other) = (connect(&etcd).await, connect(&etcd).await);
    let first = suite::put(&*one, "/a", "1").await;
    // The first turn of each only finds out where they are.
    let turn_of_one = compact(&one.calls, Turn::default()).await.unwrap();
    let turn_of_other = compact(&other.calls, Turn::default()).await.unwrap();
    assert_eq!((turn_of_one.number, turn_of_other.number), (1, 1));
    let second = suite::put(&*one, "/a", "2").await;
    assert!(one.get("/a", Some(first)).await.is_ok());
    let next_of_one = compact(&one.calls, turn_of_one).await.unwrap();
    let next_of_other = compact(&other.calls, turn_of_other).await.unwrap();
    assert_eq!((next_of_one.number, next_of_other.number), (2, 2));
    let old = one.get("/a", Some(first)).await;
    assert!(matches!(old, Err(StorageError::Compacted { .. })), "{old:?}");
    assert!(one.get("/a", Some(second)).await.is_ok());
    let watch = other.watch("/a", first).await;
    assert!(matches!(watch.err(), Some(StorageError::Compacted { .. })));
}

#[tokio::test]
async fn all_keys_come_in_pages() {
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let store = connect(&etcd).await;
    let keys = usize::try_from(PAGE).unwrap() + 10;
    let puts = futures::stream::iter(0..keys).for_each_concurrent(64, |n| {
        let store = store.clone();
        async move {
            let swap = store
                .compare_and_swap(&format!("/p/{n:05}"), Expected::Absent, put("x", None))
                .await;
            assert!(matches!(swap, Ok(Swap::Done { .. })), "{swap:?}");
        }
    });
    puts.await;
    let request = RangeRequest {
        prefix: "/p/",
        ..RangeRequest::default()
    };
    let range = store.range(&request).await.unwrap();
    assert_eq!((range.kvs.len(), range.count), (keys, keys));
    assert!(range.kvs.is_sorted_by(|a, b| a.key < b.key));
}

#[tokio::test]
async fn etcd_behind_tls() {
    let (folder, address) = (tempfile::tempdir().unwrap(), [127, 0, 0, 1].into());
    let authority = Authority::new("etcd-ca", &Clock::system()).unwrap();
    let write = |name: &str, pem: &str| std::fs::write(folder.path().join(name), pem).unwrap();
    write("ca.crt", authority.certificate_pem());
    let (server, client) = (
        authority.server("etcd", &[], &[address]),
        authority.client("root", None),
    );
    for (name, pair) in [("server", server.unwrap()), ("client", client.unwrap())] {
        write(&format!("{name}.crt"), &pair.certificate_pem);
        write(&format!("{name}.key"), &pair.key_pem);
    }
    let Some(etcd) = Etcd::start_with_tls(folder.path()).await.unwrap() else {
        return;
    };
    let store = connect(&etcd).await;
    suite::put(&*store, "/a", "x").await;
    assert!(store.get("/a", None).await.unwrap().kv.is_some());
}
