//! Every request of a reflector is answered by the test; time is paused.

mod objects;
mod streaming;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::backoff::ExponentialOptions;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Reflector, ReflectorOptions};
use crate::cache::Indexer;
use crate::fake::{FakeSource, Requests, connection_refused, object, reborn, refusal, short, source, too_large};

struct Run {
    requests: Requests,
    store: Arc<Indexer<ConfigMap>>,
    reflector: Arc<Reflector<ConfigMap, Indexer<ConfigMap>>>,
    errors: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn run() -> Run {
    run_with(ReflectorOptions::default())
}

fn run_with(options: ReflectorOptions) -> Run {
    run_on(source(), options)
}

fn run_on((source, requests): (Arc<FakeSource>, Requests), options: ReflectorOptions) -> Run {
    let (store, errors) = (Arc::new(Indexer::new()), Arc::new(Mutex::new(Vec::new())));
    let reported = errors.clone();
    let options = options.with_error_handler(move |error| reported.lock().push(error.to_string()));
    let reflector = Arc::new(Reflector::new(source, store.clone(), (), options));
    let stop = CancellationToken::new();
    let running = (reflector.clone(), stop.clone());
    let task = tokio::spawn(async move { running.0.run(running.1).await });
    Run {
        requests,
        store,
        reflector,
        errors,
        stop,
        task,
    }
}

impl Run {
    fn stored(&self) -> Vec<String> {
        let mut names: Vec<_> = self.store.list().iter().map(short).collect();
        names.sort();
        names
    }
}

/// Proves R1 R3 R7 R8.
#[tokio::test(start_paused = true)]
async fn lists_then_follows_changes() {
    let mut run = run();
    let list = run.requests.list().await;
    assert_eq!((list.version(), list.options.limit), ("0", Some(500)));
    list.answer("10", [object("a", 5), object("b", 6)]);
    let watch = run.requests.watch().await;
    assert_eq!(run.stored(), ["a@5", "b@6"]);
    assert_eq!(watch.version(), "10");
    assert!(watch.options.allow_watch_bookmarks);
    let lasting = watch.options.timeout.unwrap().as_secs();
    assert!((300..=600).contains(&lasting), "{lasting} s");
    let events = watch.accept();
    events.added(object("c", 11));
    events.modified(object("a", 12));
    events.deleted(object("b", 13));
    events.bookmark("20");
    events.end().await;
    let watch = run.requests.watch().await;
    assert_eq!(watch.version(), "20", "the bookmark counts");
    assert_eq!(run.stored(), ["a@12", "c@11"]);
    let stats = run.reflector.stats();
    assert_eq!((stats.lists, stats.relists(), stats.watches), (1, 0, 1));
    assert_eq!(
        (stats.added, stats.modified, stats.deleted, stats.bookmarks),
        (1, 1, 1, 1)
    );
    run.stop.cancel();
    run.task.await.unwrap();
}

/// Proves R3 R9.
#[tokio::test(start_paused = true)]
async fn expired_version_is_listed_anew() {
    let mut run = run();
    run.requests.list().await.answer("10", [object("a", 5)]);
    run.requests.watch().await.accept().fail(refusal(410, "Expired"));
    let list = run.requests.list().await;
    assert_eq!(
        (list.version(), list.options.limit),
        ("10", None),
        "not older than what the store has had"
    );
    list.fail(refusal(410, "Expired"));
    let list = run.requests.list().await;
    assert_eq!((list.version(), list.options.limit), ("", Some(500)));
    list.answer("30", [object("b", 25)]);
    let watch = run.requests.watch().await;
    assert_eq!(watch.version(), "30");
    assert_eq!(run.stored(), ["b@25"]);
    watch.fail(refusal(410, "Expired"));
    assert_eq!(run.requests.list().await.version(), "30");
    assert_eq!(run.reflector.stats().relists(), 1);
    assert!(run.errors.lock().is_empty(), "expiry is a matter of course");
}

/// Proves R9.
#[tokio::test(start_paused = true)]
async fn expired_watch_request_is_listed_anew() {
    let mut run = run();
    run.requests.list().await.answer("10", []);
    run.requests.watch().await.fail(refusal(410, "Gone"));
    run.requests.list().await.answer("11", []);
    assert_eq!(run.requests.watch().await.version(), "11");
}

/// Proves R9.
#[tokio::test(start_paused = true)]
async fn version_ahead_of_the_server_is_listed_anew() {
    let mut run = run();
    run.requests.list().await.answer("1000", [object("a", 5)]);
    run.requests.watch().await.fail(too_large());
    let list = run.requests.list().await;
    assert_eq!(list.version(), "", "the server has not reached 1000");
    list.answer("4", []);
    assert_eq!(run.requests.watch().await.version(), "4");
    assert!(run.stored().is_empty());
}

#[tokio::test(start_paused = true)]
async fn list_ahead_of_the_server_asks_for_the_newest_state() {
    let mut run = run();
    run.requests.list().await.answer("1000", []);
    run.requests.watch().await.fail(refusal(410, "Expired"));
    let list = run.requests.list().await;
    assert_eq!(list.version(), "1000");
    list.fail(too_large());
    let list = run.requests.list().await;
    assert_eq!(list.version(), "");
    list.answer("3", []);
    assert_eq!(run.requests.watch().await.version(), "3");
}

/// Proves R2 R7 R10.
#[tokio::test(start_paused = true)]
async fn refused_connection_is_tried_again_without_a_list() {
    let mut run = run();
    run.requests.list().await.answer("10", [object("a", 5)]);
    run.requests.watch().await.fail(connection_refused().await);
    let probe = run.requests.list().await;
    assert_eq!(
        (probe.version(), probe.options.limit),
        ("", Some(1)),
        "is it the server we know?"
    );
    probe.fail(connection_refused().await);
    run.requests.list().await.answer("12", [object("a", 12)]);
    let watch = run.requests.watch().await;
    assert_eq!(watch.version(), "10", "the watch goes on where it was");
    assert_eq!(run.stored(), ["a@5"], "the watch will bring what changed");
    assert_eq!(run.reflector.stats().lists, 1);
    assert_eq!(run.errors.lock().len(), 2);
}

/// Proves R10 R11.
#[tokio::test(start_paused = true)]
async fn server_that_lost_its_state_is_listed_anew() {
    let mut run = run();
    run.requests
        .list()
        .await
        .answer("1000", [object("a", 5), object("b", 6)]);
    run.requests.watch().await.accept().fail(connection_refused().await);
    run.requests.list().await.answer("3", []);
    let list = run.requests.list().await;
    assert_eq!(list.version(), "", "version 1000 means nothing to this server");
    list.answer("4", [object("c", 2)]);
    assert_eq!(run.requests.watch().await.version(), "4");
    assert_eq!(run.stored(), ["c@2"]);
    assert!(
        run.errors
            .lock()
            .last()
            .unwrap()
            .contains("went back from version 1000 to 3")
    );
}

/// Proves R11.
#[tokio::test(start_paused = true)]
async fn server_that_shows_nothing_we_know_is_listed_anew() {
    let known = object("a", 5);
    let cases = [
        (known.clone(), vec![]),
        (known, vec![reborn("a", "another", 11)]),
        (reborn("a", "", 5), vec![reborn("a", "", 5)]),
    ];
    for (known, shown) in cases {
        let mut run = run();
        run.requests.list().await.answer("10", [known]);
        drop(run.requests.watch().await.accept());
        run.requests.list().await.answer("10", shown.clone());
        let list = run.requests.list().await;
        assert_eq!((list.version(), list.options.limit), ("10", None));
        list.answer("11", shown);
        assert_eq!(run.requests.watch().await.version(), "11");
    }
}

#[tokio::test(start_paused = true)]
async fn older_bookmark_shows_that_the_server_lost_its_state() {
    let mut run = run();
    run.requests.list().await.answer("1000", [object("a", 5)]);
    let events = run.requests.watch().await.accept();
    events.bookmark("7");
    let list = run.requests.list().await;
    assert_eq!(list.version(), "");
    list.answer("8", []);
    assert_eq!(run.requests.watch().await.version(), "8");
    assert!(run.stored().is_empty());
}

/// Proves R4 R17.
#[tokio::test(start_paused = true)]
async fn lists_in_pages() {
    let mut run = run_with(ReflectorOptions::default().with_page_size(2));
    run.requests
        .list()
        .await
        .answer_page("10", [object("a", 1), object("b", 2)], Some("next"));
    let page = run.requests.list().await;
    assert_eq!(
        (page.version(), page.options.limit),
        ("", Some(2)),
        "the token stands for the version"
    );
    assert_eq!(page.options.continue_token.as_deref(), Some("next"));
    assert!(run.stored().is_empty(), "nobody sees half a list");
    page.answer("10", [object("c", 3)]);
    let watch = run.requests.watch().await;
    assert_eq!(watch.version(), "10");
    assert_eq!(run.stored(), ["a@1", "b@2", "c@3"]);
    watch.fail(refusal(410, "Expired"));
    let list = run.requests.list().await;
    assert_eq!(
        (list.version(), list.options.limit),
        ("10", Some(2)),
        "this server pages every list"
    );
    let stats = run.reflector.stats();
    assert_eq!((stats.lists, stats.pages), (1, 2));
}

/// Proves R4.
#[tokio::test(start_paused = true)]
async fn expired_page_falls_back_to_a_whole_list() {
    let mut run = run();
    run.requests
        .list()
        .await
        .answer_page("10", [object("gone", 1)], Some("next"));
    run.requests.list().await.fail(refusal(410, "Expired"));
    let whole = run.requests.list().await;
    assert_eq!((whole.version(), whole.options.limit), ("0", None));
    assert_eq!(whole.options.continue_token, None);
    whole.answer("20", [object("a", 15)]);
    assert_eq!(run.requests.watch().await.version(), "20");
    assert_eq!(run.stored(), ["a@15"]);
}

/// Proves R13.
#[tokio::test(start_paused = true)]
async fn failures_wait_longer_each_time_and_as_long_as_the_server_asks() {
    let steady = ExponentialOptions::default().with_jitter(false);
    let mut run = run_with(ReflectorOptions::default().with_backoff(steady));
    let mut waited = Vec::new();
    let mut last = Instant::now();
    for _ in 0..7 {
        run.requests.list().await.fail(refusal(500, "InternalError"));
        waited.push(last.elapsed().as_millis() / 10 * 10);
        last = Instant::now();
    }
    assert_eq!(waited, [0, 800, 1600, 3200, 6400, 12_800, 25_600]);
    run.requests.list().await.answer("1", []);
    let events = run.requests.watch().await.accept();
    events.bookmark("2");
    let busy = refusal(429, "TooManyRequests");
    let mut status = busy.status().unwrap().clone();
    status.details.get_or_insert_default().retry_after_seconds = Some(7);
    events.fail(kubewire_client::Error::from_status("watch configmaps", status, None));
    last = Instant::now();
    let watch = run.requests.watch().await;
    assert_eq!(
        last.elapsed(),
        Duration::from_secs(7),
        "the server's wish is above the 0.8 s of a fresh start"
    );
    assert_eq!(watch.version(), "2");
}

/// Proves R13.
#[tokio::test(start_paused = true)]
async fn waits_are_spread_out_so_that_not_all_come_at_once() {
    let mut waits = Vec::new();
    for _ in 0..20 {
        let mut run = run();
        run.requests.list().await.fail(refusal(500, "InternalError"));
        let failed = Instant::now();
        run.requests.list().await;
        waits.push(failed.elapsed().as_millis());
    }
    assert!(waits.iter().all(|wait| (800..=1_601).contains(wait)), "{waits:?}");
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 5, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_at_once_is_not_hurried() {
    let mut run = run();
    run.requests.list().await.answer("1", []);
    drop(run.requests.watch().await.accept());
    let ended = Instant::now();
    assert_eq!(run.requests.list().await.options.limit, Some(1));
    assert!(ended.elapsed() >= Duration::from_millis(800));
}

/// Proves R12.
#[tokio::test(start_paused = true)]
async fn a_watch_that_the_server_forgets_is_given_up() {
    let mut run = run();
    run.requests.list().await.answer("1", [object("a", 1)]);
    let started = Instant::now();
    let events = run.requests.watch().await.accept();
    run.requests.list().await.answer("1", [object("a", 1)]);
    events.closed().await;
    assert!(started.elapsed() <= Duration::from_secs(631));
    assert_eq!(run.requests.watch().await.version(), "1");
}

/// Proves R2.
#[tokio::test(start_paused = true)]
async fn stopping_closes_the_watch() {
    let mut run = run();
    run.requests.list().await.answer("10", []);
    let events = run.requests.watch().await.accept();
    run.stop.cancel();
    run.task.await.unwrap();
    events.closed().await;
    assert!(!run.requests.any());
}
