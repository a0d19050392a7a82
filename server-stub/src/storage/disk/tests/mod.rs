mod crash;
mod faulty;
mod files;

use std::path::Path;
use std::sync::Arc;

use super::{DiskOptions, DiskStorage};
use crate::storage::{Storage, suite};

async fn open(path: &Path) -> DiskStorage {
    DiskStorage::open(path, DiskOptions::default()).await.unwrap()
}

#[tokio::test]
async fn passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicUsize::new(0);
    suite::run(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Arc::new(open(&folder.path().join(number.to_string())).await)
    })
    .await;
}

#[tokio::test]
async fn is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for (key, value) in [("/a", "1"), ("/b", "1"), ("/a", "2")] {
        suite::put(&store, key, value).await;
    }
    let kv = store.get("/a", None).await.unwrap().kv;
    drop(store);
    let store = open(folder.path()).await;
    assert_eq!(store.get("/a", None).await.unwrap().kv, kv);
    assert_eq!(store.current_revision().await.unwrap(), 4);
    // A watch goes on from before.
    let mut watch = store.watch("/", 3).await.unwrap();
    suite::put(&store, "/c", "1").await;
    let events = suite::read(&mut watch, 3).await;
    let seen: Vec<_> = events.iter().map(|event| (&*event.key, event.revision)).collect();
    assert_eq!(seen, [("/b", 3), ("/a", 4), ("/c", 5)]);
}
