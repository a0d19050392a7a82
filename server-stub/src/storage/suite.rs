//! What every backend must pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{Change, Expected, RangeRequest, Storage, StorageError, StorageEvent, StorageWatch, Swap};

/// Runs every test on a store of its own.
pub(crate) async fn run<S: Storage>(new: impl AsyncFn() -> Arc<S>) {
    changes_only_what_is_as_expected(&*new().await).await;
    reads_the_past(&*new().await).await;
    ranges_in_pages(&*new().await).await;
    watches_from_a_revision(&*new().await).await;
    reports_progress(&*new().await).await;
    compacts(&*new().await).await;
    lets_keys_expire(&*new().await).await;
    for _ in 0..24 {
        behaves_like_the_model(&*new().await).await;
    }
}

/// Sets a key whatever it is; the new revision.
pub(crate) async fn put(store: &dyn Storage, key: &str, value: &str) -> u64 {
    let expected = match store.get(key, None).await.unwrap().kv {
        Some(kv) => Expected::Revision(kv.mod_revision),
        None => Expected::Absent,
    };
    done(store.compare_and_swap(key, expected, set(value)).await.unwrap())
}

fn set(value: &str) -> Change {
    Change::Put {
        value: Bytes::copy_from_slice(value.as_bytes()),
        ttl: None,
    }
}

fn done(swap: Swap) -> u64 {
    match swap {
        Swap::Done { revision } => revision,
        Swap::Conflict { .. } => panic!("conflict: {swap:?}"),
    }
}

async fn changes_only_what_is_as_expected(store: &dyn Storage) {
    assert_eq!(store.current_revision().await.unwrap(), 1);
    let first = done(store.compare_and_swap("/a", Expected::Absent, set("1")).await.unwrap());
    let exists = store.compare_and_swap("/a", Expected::Absent, set("2")).await.unwrap();
    let Swap::Conflict { current, revision } = exists else {
        panic!("created twice");
    };
    assert_eq!((current.unwrap().mod_revision, revision), (first, first));
    let second = done(
        store
            .compare_and_swap("/a", Expected::Revision(first), set("2"))
            .await
            .unwrap(),
    );
    assert!(second > first);
    let stale = store
        .compare_and_swap("/a", Expected::Revision(first), Change::Delete)
        .await;
    assert!(matches!(stale.unwrap(), Swap::Conflict { .. }));
    let got = store.get("/a", None).await.unwrap();
    let kv = got.kv.unwrap();
    assert_eq!(
        (&kv.value[..], kv.create_revision, kv.mod_revision),
        (&b"2"[..], first, second)
    );
    done(
        store
            .compare_and_swap("/a", Expected::Revision(second), Change::Delete)
            .await
            .unwrap(),
    );
    assert!(store.get("/a", None).await.unwrap().kv.is_none());
    let gone = store
        .compare_and_swap("/a", Expected::Revision(second), Change::Delete)
        .await;
    assert!(matches!(gone.unwrap(), Swap::Conflict { current: None, .. }));
}

async fn reads_the_past(store: &dyn Storage) {
    let first = put(store, "/a", "1").await;
    let second = put(store, "/a", "2").await;
    let at = |revision| store.get("/a", Some(revision));
    assert_eq!(at(first).await.unwrap().kv.unwrap().value, "1");
    assert_eq!(at(second).await.unwrap().kv.unwrap().value, "2");
    assert!(at(first - 1).await.unwrap().kv.is_none());
    assert!(matches!(at(second + 1).await, Err(StorageError::Future { .. })));
}

async fn ranges_in_pages(store: &dyn Storage) {
    for key in ["/a/1", "/a/2", "/a/3", "/b/1"] {
        put(store, key, "x").await;
    }
    let revision = store.current_revision().await.unwrap();
    put(store, "/a/25", "later").await;
    let request = RangeRequest {
        prefix: "/a/",
        limit: 2,
        revision: Some(revision),
        ..RangeRequest::default()
    };
    let page = store.range(&request).await.unwrap();
    assert_eq!(keys(&page.kvs), ["/a/1", "/a/2"]);
    assert_eq!((page.count, page.revision), (3, revision + 1));
    let rest = store
        .range(&RangeRequest {
            from: "/a/2\0",
            ..request
        })
        .await
        .unwrap();
    assert_eq!((keys(&rest.kvs), rest.count), (vec!["/a/3".to_owned()], 1));
    let now = store
        .range(&RangeRequest {
            revision: None,
            limit: 0,
            ..request
        })
        .await
        .unwrap();
    assert_eq!(keys(&now.kvs), ["/a/1", "/a/2", "/a/25", "/a/3"]);
}

fn keys(kvs: &[super::KeyValue]) -> Vec<String> {
    kvs.iter().map(|kv| kv.key.to_string()).collect()
}

async fn watches_from_a_revision(store: &dyn Storage) {
    put(store, "/a/1", "old").await;
    let from = put(store, "/a/1", "1").await;
    put(store, "/b/1", "elsewhere").await;
    let mut watch = store.watch("/a/", from).await.unwrap();
    let removed = put(store, "/a/2", "2").await;
    done(
        store
            .compare_and_swap("/a/2", Expected::Revision(removed), Change::Delete)
            .await
            .unwrap(),
    );
    let events = read(&mut watch, 3).await;
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            (
                &*event.key,
                event.value.as_deref(),
                event.previous.as_ref().map(|p| &p.0[..]),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("/a/1", Some(&b"1"[..]), Some(&b"old"[..])),
            ("/a/2", Some(b"2"), None),
            ("/a/2", None, Some(b"2")),
        ]
    );
    assert_eq!(events[2].revision, store.current_revision().await.unwrap());
    let future = store.current_revision().await.unwrap() + 2;
    let mut later = store.watch("/a/", future).await.unwrap();
    for value in ["too early", "in time"] {
        put(store, "/a/1", value).await;
    }
    assert_eq!(read(&mut later, 1).await[0].value.as_deref(), Some(&b"in time"[..]));
}

async fn reports_progress(store: &dyn Storage) {
    let mut watch = store.watch("/a/", 1).await.unwrap();
    let revision = put(store, "/b/1", "x").await;
    store.request_progress("/a/").await.unwrap();
    while watch.next().await.unwrap().unwrap().revision < revision {}
}

async fn compacts(store: &dyn Storage) {
    let first = put(store, "/a", "1").await;
    let second = put(store, "/a", "2").await;
    let third = put(store, "/a", "3").await;
    store.compact(second).await.unwrap();
    assert!(matches!(
        store.get("/a", Some(first)).await,
        Err(StorageError::Compacted { .. })
    ));
    assert_eq!(store.get("/a", Some(second)).await.unwrap().kv.unwrap().value, "2");
    assert_eq!(store.get("/a", Some(third)).await.unwrap().kv.unwrap().value, "3");
    let request = RangeRequest {
        prefix: "/",
        revision: Some(first),
        ..RangeRequest::default()
    };
    assert!(store.range(&request).await.is_err());
    assert!(matches!(
        store.watch("/a", first).await,
        Err(StorageError::Compacted { .. })
    ));
    let mut watch = store.watch("/a", third).await.unwrap();
    assert_eq!(read(&mut watch, 1).await[0].revision, third);
    assert!(store.compact(second).await.is_err());
    assert!(store.compact(third + 1).await.is_err());
}

async fn lets_keys_expire(store: &dyn Storage) {
    let short = |value: &str| Change::Put {
        value: Bytes::copy_from_slice(value.as_bytes()),
        ttl: Some(1),
    };
    let swap = store.compare_and_swap("/a", Expected::Absent, short("1")).await;
    let first = done(swap.unwrap());
    let swap = store.compare_and_swap("/kept", Expected::Absent, short("1")).await;
    done(swap.unwrap());
    put(store, "/kept", "2").await;
    let mut watch = store.watch("/a", first + 1).await.unwrap();
    let events = read(&mut watch, 1).await;
    assert_eq!((events[0].value.as_ref(), &*events[0].key), (None, "/a"));
    assert!(store.get("/a", None).await.unwrap().kv.is_none());
    assert!(store.get("/kept", None).await.unwrap().kv.is_some());
}

pub(crate) async fn read(watch: &mut StorageWatch, count: usize) -> Vec<Arc<StorageEvent>> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(watch.next().await.unwrap().unwrap().events);
    }
    assert_eq!(events.len(), count);
    events
}

/// Random changes, compared with a map per revision, and with what a watch tells.
async fn behaves_like_the_model(store: &dyn Storage) {
    let step = (0..6usize, 0..3u8, prop::bool::weighted(0.1));
    let strategy = prop::collection::vec(step, 1..60);
    let steps = strategy.new_tree(&mut TestRunner::default()).unwrap().current();
    let mut states: Vec<BTreeMap<String, Bytes>> = vec![BTreeMap::new(), BTreeMap::new()];
    let mut oldest = 1;
    let mut watch = store.watch("/", 2).await.unwrap();
    let mut changes = 0;
    for (number, (key, what, compact)) in steps.into_iter().enumerate() {
        let key = format!("/{key}");
        let mut state = states.last().unwrap().clone();
        let current = store.get(&key, None).await.unwrap().kv;
        assert_eq!(current.as_ref().map(|kv| &kv.value), state.get(&key));
        let expected = current.map_or(Expected::Absent, |kv| Expected::Revision(kv.mod_revision));
        let change = match (what, expected) {
            (0, Expected::Revision(_)) => {
                state.remove(&key);
                Change::Delete
            }
            _ => {
                state.insert(key.clone(), number.to_string().into());
                set(&number.to_string())
            }
        };
        let revision = done(store.compare_and_swap(&key, expected, change).await.unwrap());
        assert_eq!(revision as usize, states.len());
        states.push(state);
        changes += 1;
        if compact && revision / 2 > oldest {
            oldest = revision / 2;
            store.compact(oldest).await.unwrap();
        }
    }
    for (revision, state) in states.iter().enumerate().skip(oldest as usize) {
        let request = RangeRequest {
            prefix: "/",
            revision: Some(revision as u64),
            ..RangeRequest::default()
        };
        let range = store.range(&request).await.unwrap();
        let found: BTreeMap<String, Bytes> = range.kvs.into_iter().map(|kv| (kv.key.to_string(), kv.value)).collect();
        assert_eq!(&found, state, "at revision {revision}");
    }
    let mut replayed = BTreeMap::new();
    for event in read(&mut watch, changes).await {
        assert_eq!(event.previous.as_ref().map(|p| &p.0), replayed.get(&*event.key));
        match &event.value {
            Some(value) => replayed.insert(event.key.to_string(), value.clone()),
            None => replayed.remove(&*event.key),
        };
        assert_eq!(replayed, states[event.revision as usize]);
    }
}
