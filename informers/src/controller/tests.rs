use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use super::*;
use crate::fake::{Requests, object, source};
use crate::shared_informer::InformerOptions;
use crate::workqueue::LOW_PRIORITY;

fn informer() -> (SharedInformer<ConfigMap>, Requests) {
    let (source, requests) = source();
    (SharedInformer::new(source, InformerOptions::default()), requests)
}

/// Sends every item to the test, and answers what the test says for it.
fn reporting(
    answer: impl Fn(&str) -> Result<Action, ReconcileError> + Send + Sync + 'static,
) -> (impl Reconciler<ObjectKey>, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let reconcile = move |key: ObjectKey| {
        sender.send(key.name.clone()).ok();
        let answer = answer(&key.name);
        async move { answer }
    };
    (reconcile, receiver)
}

/// Proves K1 K2 K3.
#[tokio::test(start_paused = true)]
async fn begins_after_the_initial_list_and_follows_what_changes() {
    let (informer, mut requests) = informer();
    let mut controller = Controller::new("test");
    controller.watch_keys(&informer).unwrap();
    let queue = controller.queue().clone();
    informer.start();
    let (reconciler, mut items) = reporting(|_| Ok(Action::Done));
    let stop = CancellationToken::new();
    queue.add(ObjectKey::new("shop", "early"));
    let running = tokio::spawn(controller.run(reconciler, stop.clone()));
    let list = requests.list().await;
    assert!(items.try_recv().is_err(), "not before the list");

    list.answer("5", [object("a", 3)]);
    assert_eq!(items.recv().await.unwrap(), "early");
    assert_eq!(items.recv().await.unwrap(), "a");
    let events = requests.watch().await.accept();
    events.modified(object("a", 6));
    assert_eq!(items.recv().await.unwrap(), "a");
    events.deleted(object("a", 7));
    assert_eq!(items.recv().await.unwrap(), "a");
    // A resync brings nothing for what is gone, and every object that is there.
    events.added(object("b", 8));
    assert_eq!(items.recv().await.unwrap(), "b");
    assert_eq!(items.recv().await.unwrap(), "b", "the resync");

    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(informer.stats().handlers, 0);
    informer.shutdown().await;
}

/// Proves K7.
#[tokio::test(start_paused = true)]
async fn changes_come_before_the_initial_list() {
    let (informer, mut requests) = informer();
    let mut controller = Controller::new("test");
    controller.watch_keys(&informer).unwrap();
    informer.start();
    let list = requests.list().await;
    list.answer("5", [object("a", 1), object("b", 2), object("c", 3)]);
    let events = requests.watch().await.accept();
    informer.wait_for_sync().await.unwrap();
    events.modified(object("c", 6));
    events.bookmark("6");
    while controller.queue().len() < 3 || informer.stats().reflector.bookmarks == 0 || informer.stats().pending > 0 {
        tokio::task::yield_now().await;
    }
    let (reconciler, mut items) = reporting(|_| Ok(Action::Done));
    let stop = CancellationToken::new();
    let running = tokio::spawn(controller.run(reconciler, stop.clone()));
    assert_eq!(items.recv().await.unwrap(), "c");
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// Proves K5 K6.
#[tokio::test(start_paused = true)]
async fn failures_and_panics_come_back_later_each_time() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (reconciler, mut items) = reporting({
        let calls = calls.clone();
        move |_| match calls.fetch_add(1, Ordering::Relaxed) {
            0 => Err("not yet".into()),
            1 => panic!("for the test"),
            2 => Ok(Action::Requeue),
            3 => Ok(Action::RequeueAfter(Duration::from_secs(60))),
            _ => Ok(Action::Done),
        }
    });
    let controller = Controller::new("test");
    let queue = controller.queue().clone();
    let stop = CancellationToken::new();
    let running = tokio::spawn(controller.run(reconciler, stop.clone()));
    let key = ObjectKey::new("shop", "a");
    queue.add(key.clone());
    let mut waits = Vec::new();
    for _ in 0..5 {
        let before = tokio::time::Instant::now();
        items.recv().await.unwrap();
        waits.push(before.elapsed().as_millis());
    }
    assert_eq!(waits, [0, 5, 10, 20, 60_000]);
    tokio::task::yield_now().await;
    assert_eq!(queue.requeues(&key), 0, "a success is forgotten");
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// Proves K4 K8.
#[tokio::test]
async fn as_many_calls_at_once_as_allowed_and_each_comes_to_its_end() {
    let (running, most, finished) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Mutex::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let gate = Arc::new(Semaphore::new(0));
    let reconcile = {
        let (running, most, finished, gate) = (running.clone(), most.clone(), finished.clone(), gate.clone());
        move |_: u32| {
            let (running, most, finished, gate) = (running.clone(), most.clone(), finished.clone(), gate.clone());
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                let most_so_far = (*most.lock()).max(now);
                *most.lock() = most_so_far;
                gate.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
                finished.fetch_add(1, Ordering::SeqCst);
                Ok(Action::Done)
            }
        }
    };
    let controller = Controller::new("test").concurrency(3);
    let queue = controller.queue().clone();
    (0..10).for_each(|item| queue.add(item));
    let stop = CancellationToken::new();
    let run = tokio::spawn(controller.run(reconcile, stop.clone()));
    while running.load(Ordering::SeqCst) < 3 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    gate.add_permits(3);
    run.await.unwrap().unwrap();
    assert_eq!((*most.lock(), finished.load(Ordering::SeqCst)), (3, 3));
}

#[tokio::test]
async fn an_informer_that_stops_before_its_list_is_an_error() {
    let (informer, _requests) = informer();
    let mut controller = Controller::new("test");
    controller.watch_keys(&informer).unwrap();
    informer.start();
    informer.shutdown().await;
    let (reconciler, _items) = reporting(|_| Ok(Action::Done));
    assert!(controller.run(reconciler, CancellationToken::new()).await.is_err());
}

/// Proves K7.
#[tokio::test(start_paused = true)]
async fn what_comes_back_has_the_priority_that_it_had() {
    let controller = Controller::new("test");
    let queue = controller.queue().clone();
    let low = ["fails", "again", "later"];
    low.iter().for_each(|item| queue.add_with_priority(*item, LOW_PRIORITY));
    let gate = Arc::new(Semaphore::new(0));
    let (sender, mut calls) = mpsc::unbounded_channel();
    let reconcile = {
        let gate = gate.clone();
        move |item: &'static str| {
            sender.send(item).unwrap();
            let gate = gate.clone();
            async move {
                match item {
                    "fails" => Err("for the test".into()),
                    "again" => Ok(Action::Requeue),
                    "later" => Ok(Action::RequeueAfter(Duration::from_millis(5))),
                    _ => {
                        gate.acquire().await.unwrap().forget();
                        Ok(Action::Done)
                    }
                }
            }
        }
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(controller.run(reconcile, stop.clone()));
    for item in low {
        assert_eq!(calls.recv().await.unwrap(), item);
    }
    queue.add("busy");
    assert_eq!(calls.recv().await.unwrap(), "busy");
    tokio::time::advance(Duration::from_millis(10)).await;
    assert_eq!(queue.len(), 3, "they wait again");
    queue.add("new");
    gate.add_permits(2);
    assert_eq!(calls.recv().await.unwrap(), "new");
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// Proves K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn calls_that_block_a_thread_run_side_by_side() {
    let controller = Controller::new("test").concurrency(2);
    let queue = controller.queue().clone();
    (0..2).for_each(|item| queue.add(item));
    let (sender, receiver) = std::sync::mpsc::channel();
    let receiver = Arc::new(Mutex::new(receiver));
    let stop = CancellationToken::new();
    let reconcile = {
        let stop = stop.clone();
        move |item: u8| {
            // The one waits for the other.
            if item == 0 {
                sender.send(()).unwrap();
            } else if receiver.lock().recv_timeout(Duration::from_secs(60)).is_ok() {
                stop.cancel();
            }
            async { Ok(Action::Done) }
        }
    };
    controller.run(reconcile, stop).await.unwrap();
}
