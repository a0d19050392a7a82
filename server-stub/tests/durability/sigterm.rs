//! A server is asked to stop in the middle of its work: what it acknowledged is there afterwards, whoever asked it
//! something got an answer or is told to come again, and it is gone in time.
//!
//! `KUBEWIRE_SIGTERM=full` for 200 writers and 1,000 watchers.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::{Clientset, Error, ListOptions, ResourceVersion, WriteOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::process::Process;
use crate::until;
use crate::writer::object;

const DELAY: Duration = Duration::from_millis(500);
/// How long requests may take to finish after the delay.
const DRAIN: Duration = Duration::from_secs(20);
/// How many share a connection.
const SHARING: usize = 100;

fn size() -> (usize, usize) {
    match std::env::var("KUBEWIRE_SIGTERM").as_deref() {
        Ok("full") => (200, 1000),
        _ => (20, 50),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_stop_loses_nothing_and_leaves_nobody_without_an_answer() {
    stop_under_load(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_one_that_sends_new_requests_away() {
    stop_under_load(true).await;
}

async fn stop_under_load(send_retry_after: bool) {
    let (writers, watchers) = size();
    let folder = tempfile::tempdir().unwrap();
    let arguments = vec![
        format!("--storage-path={}", folder.path().join("storage").display()),
        format!("--shutdown-delay-duration={}ms", DELAY.as_millis()),
        format!("--request-timeout={}s", DRAIN.as_secs()),
        format!("--shutdown-send-retry-after={send_retry_after}"),
        "--max-mutating-requests-inflight=0".to_owned(),
    ];
    let mut server = Process::start(folder.path(), arguments).await;
    let clients: Vec<Clientset> = (0..watchers.div_ceil(SHARING)).map(|_| server.clientset()).collect();
    let client = |number: usize| clients[number % clients.len()].clone();
    let from = list(&clients[0]).await.1;

    let (written, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let stop = CancellationToken::new();
    let watching: JoinSet<_> = (0..watchers)
        .map(|number| watch(client(number), from.clone(), seen.clone()))
        .collect();
    let writing: JoinSet<_> = (0..writers)
        .map(|number| write(number, client(number), written.clone(), stop.clone()))
        .collect();
    until("writes and watches go on", || {
        written.load(Ordering::SeqCst) >= 5 * writers && seen.load(Ordering::SeqCst) >= watchers
    })
    .await;
    let before = written.load(Ordering::SeqCst);

    let start = Instant::now();
    let exited_well = server.terminate(DELAY + DRAIN).await;
    let (took, after) = (start.elapsed(), written.load(Ordering::SeqCst));
    assert!(exited_well, "the server did not stop well");
    assert!(after > before, "nothing was written in the time of the delay");
    let watched = watching.join_all().await;
    assert!(
        watched.iter().all(|events| *events > 0),
        "a watch ended without an event"
    );

    server.restart().await;
    until("writes go on with the next server", || {
        written.load(Ordering::SeqCst) > after
    })
    .await;
    stop.cancel();
    let histories = writing.join_all().await;
    let there = list(&server.clientset()).await.0;
    for (acknowledged, refused) in &histories {
        for name in acknowledged {
            assert!(there.contains(name), "{name} was acknowledged and is not there");
        }
        for error in refused {
            assert!(
                may_be_tried_again(error),
                "neither an answer nor an invitation to come again: {error:?}"
            );
        }
    }
    println!(
        "{writers} writers, {watchers} watchers: {} writes acknowledged, 0 lost, {} told to come again; stopped after {} ms",
        histories
            .iter()
            .map(|(acknowledged, _)| acknowledged.len())
            .sum::<usize>(),
        histories.iter().map(|(_, refused)| refused.len()).sum::<usize>(),
        took.as_millis()
    );
}

/// Creates objects until it is stopped; returns the names that were acknowledged, and the other answers.
async fn write(
    number: usize,
    clientset: Clientset,
    written: Arc<AtomicUsize>,
    stop: CancellationToken,
) -> (Vec<String>, Vec<Error>) {
    let api = clientset.core_v1().config_maps("default");
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    let mut round = 0;
    while !stop.is_cancelled() {
        let name = format!("stop-{number}-{round}");
        match api.create(&object(&name, "v", None), &WriteOptions::default()).await {
            Ok(_) => {
                acknowledged.push(name);
                written.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                refused.push(error);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        round += 1;
    }
    (acknowledged, refused)
}

/// Follows the objects to the end of the watch, which is not an error; returns how many events there were.
async fn watch(clientset: Clientset, from: ResourceVersion, seen: Arc<AtomicUsize>) -> usize {
    let api = clientset.core_v1().config_maps("default");
    let options = ListOptions::default().with_resource_version(from);
    let mut events = pin!(api.watch(&options).await.unwrap());
    let mut count = 0;
    while let Some(event) = events.next().await {
        event.unwrap();
        count += 1;
        if count == 1 {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    }
    count
}

/// Nothing of the request was done: nobody listens, or the server says so.
fn may_be_tried_again(error: &Error) -> bool {
    error.is_connect() || error.is_too_many_requests()
}

async fn list(clientset: &Clientset) -> (std::collections::BTreeSet<String>, ResourceVersion) {
    let list = clientset
        .core_v1()
        .config_maps("default")
        .list(&ListOptions::default())
        .await
        .unwrap();
    let names = list.items.into_iter().filter_map(|map: ConfigMap| map.metadata.name);
    (names.collect(), list.resource_version)
}
