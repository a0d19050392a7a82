//! A store on disk that is opened again.

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt, stream};
use kubewire_server_stub::storage::disk::{DiskOptions, DiskStorage};
use kubewire_server_stub::storage::{Change, Expected, Storage};

use crate::peer;
use crate::report::line;

const OBJECTS: usize = 100_000;
/// As large as the pods of the other measurements.
const SIZE: usize = 4_500;

pub(crate) async fn measure(folder: &Path) {
    let place = tempfile::tempdir_in(folder).expect("a folder");
    let store = open(place.path()).await;
    let put = |number: usize| {
        let store = store.clone();
        async move {
            let value = Bytes::from(vec![number as u8; SIZE]);
            let key = format!("/registry/pods/default/pod-{number}");
            let change = Change::Put { value, ttl: None };
            let swap = store.compare_and_swap(&key, Expected::Absent, change).await;
            swap.expect("the object is written");
        }
    };
    stream::iter(0..OBJECTS)
        .map(put)
        .buffer_unordered(256)
        .collect::<()>()
        .await;
    store.close().await;
    drop(store);
    let start = Instant::now();
    let store = open(place.path()).await;
    line(&peer::REOPEN, start.elapsed().as_secs_f64());
    assert_eq!(store.current_revision().await.expect("a revision"), OBJECTS as u64 + 1);
    store.close().await;
}

async fn open(path: &Path) -> DiskStorage {
    DiskStorage::open(path, DiskOptions::default())
        .await
        .expect("the store opens")
}
