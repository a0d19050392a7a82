//! Damage, failures and what is left in the folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::faulty::{Failure, FaultyFiles};
use super::open;
use crate::storage::disk::files::Files;
use crate::storage::disk::recovery::{log_name, revision_of};
use crate::storage::disk::{DiskOptions, DiskStorage, OpenError};
use crate::storage::{RangeRequest, Storage, StorageError, suite};

pub(super) fn open_files(files: &FaultyFiles, options: DiskOptions) -> Result<DiskStorage, OpenError> {
    DiskStorage::open_files(Arc::new(files.clone()), options)
}

/// All keys with their values and revisions.
pub(super) async fn state(store: &DiskStorage) -> BTreeMap<String, (String, u64)> {
    let request = RangeRequest {
        prefix: "/",
        ..RangeRequest::default()
    };
    let kvs = store.range(&request).await.unwrap().kvs.into_iter();
    kvs.map(|kv| {
        let value = String::from_utf8(kv.value.to_vec()).unwrap();
        (kv.key.to_string(), (value, kv.mod_revision))
    })
    .collect()
}

/// A log of three writes, and where each ends.
async fn three_writes() -> (FaultyFiles, Vec<usize>) {
    let files = FaultyFiles::default();
    let store = open_files(&files, DiskOptions::default()).unwrap();
    let mut ends = Vec::new();
    for key in ["/a", "/b", "/c"] {
        suite::put(&store, key, "some value").await;
        ends.push(files.bytes(&log_name(2)).len());
    }
    (files, ends)
}

#[tokio::test]
async fn an_unfinished_last_write_is_cut_off_wherever_it_ends() {
    let (files, ends) = three_writes().await;
    let log = files.bytes(&log_name(2));
    for length in ends[1]..ends[2] {
        let cut = files.with(&log_name(2), log[..length].to_vec());
        let store = open_files(&cut, DiskOptions::default()).unwrap();
        assert_eq!(state(&store).await.into_keys().collect::<Vec<_>>(), ["/a", "/b"]);
        assert_eq!(store.current_revision().await.unwrap(), 3, "cut at {length}");
        // It goes on from there, and is sound afterwards.
        suite::put(&store, "/d", "x").await;
        let again = open_files(&cut, DiskOptions::default()).unwrap();
        assert_eq!(state(&again).await.into_keys().collect::<Vec<_>>(), ["/a", "/b", "/d"]);
    }
}

#[tokio::test]
async fn damage_in_front_of_a_finished_write_is_an_error() {
    let (files, ends) = three_writes().await;
    let log = files.bytes(&log_name(2));
    for at in 0..ends[1] {
        let mut damaged = log.clone();
        damaged[at] ^= 0x10;
        let error = open_files(&files.with(&log_name(2), damaged), DiskOptions::default()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "byte {at}: {error}");
    }
}

#[tokio::test]
async fn a_missing_log_is_an_error() {
    let files = FaultyFiles::default();
    let options = DiskOptions {
        min_log_length: 1,
        ..DiskOptions::default()
    };
    let store = open_files(&files, options).unwrap();
    let logs = || {
        let mut logs = files.list().unwrap();
        logs.retain(|name| revision_of(name, "log").is_some());
        logs
    };
    while logs().len() < 4 {
        suite::put(&store, "/a", "x").await;
    }
    let files = files.after_power_loss(|sides| sides - 1);
    files.remove(&logs()[2]).unwrap();
    let error = open_files(&files, DiskOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let files = FaultyFiles::default();
    let store = open_files(&files, DiskOptions::default()).unwrap();
    suite::put(&store, "/a", "1").await;
    let before = state(&store).await;
    files.fail(Failure::Writes);
    let error = try_put(&store, "/b").await.unwrap_err();
    assert_eq!(error.to_string(), "write to the log: no space left on device");
    assert_eq!(state(&store).await, before);
    // Nothing half-written is left, and when there is room again it goes on.
    files.fail(Failure::Nothing);
    try_put(&store, "/c").await.unwrap();
    let again = open_files(&files, DiskOptions::default()).unwrap();
    assert_eq!(state(&again).await, state(&store).await);
    assert_eq!(again.current_revision().await.unwrap(), 3);
}

#[tokio::test]
async fn after_a_failed_sync_the_store_can_only_be_read() {
    let files = FaultyFiles::default();
    let store = open_files(&files, DiskOptions::default()).unwrap();
    suite::put(&store, "/a", "1").await;
    files.fail(Failure::Syncs);
    assert!(try_put(&store, "/b").await.is_err());
    files.fail(Failure::Nothing);
    let error = try_put(&store, "/c").await.unwrap_err();
    assert!(error.to_string().contains("can only be read"), "{error}");
    assert_eq!(state(&store).await.into_keys().collect::<Vec<_>>(), ["/a"]);
}

async fn try_put(store: &DiskStorage, key: &str) -> Result<(), StorageError> {
    use crate::storage::{Change, Expected};
    let change = Change::Put {
        value: "x".into(),
        ttl: None,
    };
    store.compare_and_swap(key, Expected::Absent, change).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(folder.path()).await;
    let second = DiskStorage::open(folder.path(), DiskOptions::default()).await;
    assert!(matches!(second.unwrap_err(), OpenError::InUse(_)));
}

#[tokio::test]
async fn keys_expire_although_the_store_was_closed() {
    let files = FaultyFiles::default();
    let at = |second| DiskOptions {
        clock: crate::generic::clock::Clock::fixed(jiff::Timestamp::from_second(second).unwrap()),
        ..DiskOptions::default()
    };
    let store = open_files(&files, at(1_000)).unwrap();
    let change = crate::storage::Change::Put {
        value: "x".into(),
        ttl: Some(3_600),
    };
    let swap = store.compare_and_swap("/a", crate::storage::Expected::Absent, change);
    swap.await.unwrap();
    drop(store);
    let store = open_files(&files, at(2_000)).unwrap();
    assert!(store.get("/a", None).await.unwrap().kv.is_some());
    drop(store);
    let store = open_files(&files, at(4_600)).unwrap();
    let mut watch = store.watch("/a", 3).await.unwrap();
    assert_eq!(suite::read(&mut watch, 1).await[0].value, None);
}
