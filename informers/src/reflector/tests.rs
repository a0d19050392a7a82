//! Every request of a reflector is answered by the test; time is paused.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Reflector, ReflectorOptions};
use crate::cache::{CacheMode, Indexer};
use crate::fake::{Requests, connection_refused, object, refusal, short, source, too_large};

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
    let (source, requests) = source();
    let (store, errors) = (Arc::new(Indexer::new()), Arc::new(Mutex::new(Vec::new())));
    let reported = errors.clone();
    let options = options.with_error_handler(move |error| reported.lock().push(error.to_string()));
    let reflector = Arc::new(Reflector::new(source, store.clone(), options));
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
    drop(events);
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
    assert_eq!(run.requests.watch().await.version(), "30");
    assert_eq!(run.stored(), ["b@25"]);
    assert_eq!(run.reflector.stats().relists(), 1);
    assert!(run.errors.lock().is_empty(), "expiry is a matter of course");
}

#[tokio::test(start_paused = true)]
async fn expired_watch_request_is_listed_anew() {
    let mut run = run();
    run.requests.list().await.answer("10", []);
    run.requests.watch().await.fail(refusal(410, "Gone"));
    run.requests.list().await.answer("11", []);
    assert_eq!(run.requests.watch().await.version(), "11");
}

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
