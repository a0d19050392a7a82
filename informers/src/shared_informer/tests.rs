//! The contract, sentence by sentence. Every request is answered by the test; time is paused.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

use super::{EventHandler, EventHandlerFuncs, InformerOptions, SharedInformer};
use crate::cache::CachedObject;
use crate::fake::{Events, Requests, connection_refused, object, reborn, refusal, short, source};
use crate::reflector::ReflectorOptions;

pub(super) type Map = CachedObject<ConfigMap>;

pub(super) fn informer() -> (SharedInformer<ConfigMap>, Requests) {
    let (source, requests) = source();
    let quiet = ReflectorOptions::default().with_error_handler(|_| ());
    let options = InformerOptions::default().with_reflector(quiet);
    (SharedInformer::new(source, options), requests)
}

/// An informer that has listed `a@1` and `b@2` and follows the changes.
pub(super) async fn synced() -> (SharedInformer<ConfigMap>, Requests, Events) {
    let (informer, mut requests) = informer();
    informer.start();
    requests.list().await.answer("10", [object("a", 1), object("b", 2)]);
    let events = requests.watch().await.accept();
    informer.wait_for_sync().await.unwrap();
    (informer, requests, events)
}

/// Writes down what it is told.
pub(super) struct Recorder {
    told: mpsc::UnboundedSender<String>,
    /// Waits for this before each call comes to its end.
    gate: Option<Arc<Notify>>,
}

pub(super) struct Told(mpsc::UnboundedReceiver<String>);

pub(super) fn recorder() -> (Recorder, Told) {
    let (told, receiver) = mpsc::unbounded_channel();
    (Recorder { told, gate: None }, Told(receiver))
}

pub(super) fn slow_recorder() -> (Recorder, Told, Arc<Notify>) {
    let (mut recorder, told) = recorder();
    let gate = Arc::new(Notify::new());
    recorder.gate = Some(gate.clone());
    (recorder, told, gate)
}

impl Recorder {
    async fn record(&self, what: String) {
        self.told.send(what).ok();
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
    }
}

#[async_trait]
impl EventHandler<ConfigMap> for Recorder {
    async fn on_add(&mut self, object: &Map, is_in_initial_list: bool) {
        let initial = if is_in_initial_list { " initially" } else { "" };
        self.record(format!("add {}{initial}", short(object))).await;
    }

    async fn on_update(&mut self, old: &Map, new: &Map) {
        self.record(format!("update {} to {}", short(old), short(new))).await;
    }

    async fn on_sync(&mut self, object: &Map) {
        self.record(format!("sync {}", short(object))).await;
    }

    async fn on_delete(&mut self, object: &Map, final_state_known: bool) {
        let unknown = if final_state_known { "" } else { " unseen" };
        self.record(format!("delete {}{unknown}", short(object))).await;
    }
}

impl Told {
    pub(super) async fn next(&mut self) -> String {
        self.0.recv().await.unwrap()
    }

    /// The next `N` in alphabetical order, for what has no order between objects.
    pub(super) async fn sorted<const N: usize>(&mut self) -> [String; N] {
        let mut told = [const { String::new() }; N];
        for slot in &mut told {
            *slot = self.next().await;
        }
        told.sort();
        told
    }

    pub(super) fn is_silent(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lets every task go on until it waits for something.
pub(super) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// Proves I1 I3.
#[tokio::test(start_paused = true)]
async fn tells_every_change_in_order() {
    let (informer, mut requests) = informer();
    let (handler, mut told) = recorder();
    let registration = informer.add_handler(handler).unwrap();
    assert!(!informer.has_synced() && !registration.has_synced());
    informer.start();
    requests.list().await.answer("10", [object("a", 1), object("b", 2)]);
    let events = requests.watch().await.accept();
    assert_eq!(told.sorted().await, ["add a@1 initially", "add b@2 initially"]);
    registration.wait_for_sync().await.unwrap();
    events.added(object("c", 11));
    assert_eq!(told.next().await, "add c@11");
    events.modified(object("a", 12));
    assert_eq!(told.next().await, "update a@1 to a@12");
    events.deleted(object("b", 13));
    assert_eq!(told.next().await, "delete b@13");
    assert_eq!(informer.lister().len(), 2);
    assert_eq!(informer.last_sync_resource_version().as_str(), "13");
}

/// Proves I10.
#[tokio::test(start_paused = true)]
async fn resyncs_every_ten_minutes_without_a_list() {
    let (informer, mut requests, events) = synced().await;
    let ((handler, mut told), (unsynced, mut quiet)) = (recorder(), recorder());
    let (often, mut minutely) = recorder();
    informer.add_handler(handler).unwrap();
    informer.add_handler_with_resync(unsynced, Duration::ZERO).unwrap();
    informer
        .add_handler_with_resync(often, Duration::from_secs(60))
        .unwrap();
    for told in [&mut told, &mut quiet, &mut minutely] {
        assert_eq!(told.sorted().await, ["add a@1 initially", "add b@2 initially"]);
    }
    // The server ends watches after a while; that is not a list.
    let watches = tokio::spawn(async move {
        let mut events = events;
        loop {
            events.end().await;
            events = requests.watch().await.accept();
        }
    });
    sleep(Duration::from_secs(599)).await;
    assert!(told.is_silent());
    for _ in 0..9 {
        assert_eq!(minutely.sorted().await, ["sync a@1", "sync b@2"]);
    }
    // A little later than that, so that not all come at once.
    sleep(Duration::from_secs(32)).await;
    assert_eq!(told.sorted().await, ["sync a@1", "sync b@2"]);
    sleep(Duration::from_secs(565)).await;
    assert!(told.is_silent());
    sleep(Duration::from_secs(66)).await;
    assert_eq!(told.sorted().await, ["sync a@1", "sync b@2"]);
    assert!(told.is_silent() && quiet.is_silent());
    assert!(!watches.is_finished(), "every request was a watch");
    assert_eq!(informer.stats().reflector.lists, 1);
}

#[tokio::test(start_paused = true)]
async fn server_that_came_back_empty_empties_the_store() {
    let (informer, mut requests, events) = synced().await;
    let (handler, mut told) = recorder();
    informer.add_handler(handler).unwrap();
    told.sorted::<2>().await;
    events.fail(connection_refused().await);
    requests.list().await.answer("1", []);
    requests.list().await.answer("1", []);
    assert_eq!(told.sorted().await, ["delete a@1 unseen", "delete b@2 unseen"]);
    assert!(informer.lister().is_empty());
    let events = requests.watch().await.accept();
    events.added(object("a", 2));
    assert_eq!(told.next().await, "add a@2", "the small version is taken");
}

#[tokio::test(start_paused = true)]
async fn missed_changes_are_made_up_for() {
    let (informer, mut requests, events) = synced().await;
    let (handler, mut told) = recorder();
    informer.add_handler(handler).unwrap();
    told.sorted::<2>().await;
    events.fail(refusal(410, "Expired"));
    requests.list().await.answer("20", [object("a", 1), object("c", 15)]);
    assert_eq!(told.sorted().await, ["add c@15", "delete b@2 unseen"]);
    settle().await;
    assert!(told.is_silent(), "a has not changed");
}

/// Proves I6 I7.
#[tokio::test(start_paused = true)]
async fn an_object_that_took_the_name_of_another_is_no_update() {
    let (informer, mut requests, events) = synced().await;
    let (handler, mut told) = recorder();
    informer.add_handler(handler).unwrap();
    told.sorted::<2>().await;
    events.fail(refusal(410, "Expired"));
    requests
        .list()
        .await
        .answer("20", [reborn("a", "another", 15), object("b", 2)]);
    assert_eq!(told.next().await, "delete a@1 unseen");
    assert_eq!(told.next().await, "add a@15");
}

/// Proves I9.
#[tokio::test(start_paused = true)]
async fn a_late_handler_is_told_of_everything_and_misses_nothing() {
    let (informer, _requests, events) = synced().await;
    events.modified(object("a", 11));
    settle().await;
    let (handler, mut told) = recorder();
    let registration = informer.add_handler(handler).unwrap();
    events.modified(object("b", 12));
    events.added(object("c", 13));
    let mut seen = told.sorted::<3>().await.to_vec();
    settle().await;
    while let Ok(more) = told.0.try_recv() {
        seen.push(more);
    }
    // Whether b's change comes by itself or with the initial list is a matter of chance.
    assert!(seen.contains(&"add a@11 initially".to_owned()), "{seen:?}");
    assert!(seen.contains(&"add c@13".to_owned()), "{seen:?}");
    assert!(
        seen.iter()
            .any(|told| told.ends_with("b@12") || told == "add b@12 initially"),
        "{seen:?}"
    );
    assert!(registration.has_synced());
}

/// Proves I4 I8.
#[tokio::test(start_paused = true)]
async fn a_slow_handler_delays_only_itself_and_is_told_the_rest_in_short() {
    let (informer, _requests, events) = synced().await;
    let (slow, mut slow_told, gate) = slow_recorder();
    let (handler, mut told) = recorder();
    let registration = informer.add_handler(slow).unwrap();
    informer.add_handler(handler).unwrap();
    told.sorted::<2>().await;
    let first = slow_told.next().await;
    for version in 11..1011 {
        events.modified(object("a", version));
        events.modified(object("b", version));
        events.added(object("passing", version));
        settle().await;
        events.deleted(object("passing", version));
        settle().await;
    }
    let mut last = String::new();
    while let Ok(event) = told.0.try_recv() {
        last = event;
    }
    assert_eq!(last, "delete passing@1010", "the other handler has seen it all");
    assert!(slow_told.is_silent() && !registration.has_synced());
    assert!(informer.stats().pending <= 2, "{:?}", informer.stats());
    let mut rest = Vec::new();
    gate.notify_one();
    for _ in 0..2 {
        rest.push(slow_told.next().await);
        gate.notify_one();
    }
    rest.sort();
    match first.as_str() {
        "add a@1 initially" => assert_eq!(rest, ["add b@1010 initially", "update a@1 to a@1010"]),
        _ => assert_eq!(rest, ["add a@1010 initially", "update b@2 to b@1010"]),
    }
    settle().await;
    assert!(slow_told.is_silent() && registration.has_synced());
}

#[tokio::test(start_paused = true)]
async fn a_handler_has_synced_once_it_has_handled_the_initial_list() {
    let (informer, mut requests) = informer();
    let (slow, mut told, gate) = slow_recorder();
    let registration = informer.add_handler(slow).unwrap();
    let empty = informer.add_handler(recorder().0).unwrap();
    informer.start();
    settle().await;
    assert!(!empty.has_synced(), "nothing is known about the collection yet");
    requests.list().await.answer("10", [object("a", 1)]);
    assert_eq!(told.next().await, "add a@1 initially");
    assert!(informer.has_synced() && !registration.has_synced());
    gate.notify_one();
    registration.wait_for_sync().await.unwrap();
    empty.wait_for_sync().await.unwrap();
    requests.watch().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_collection_is_a_synced_one() {
    let (informer, mut requests) = informer();
    let registration = informer.add_handler(recorder().0).unwrap();
    informer.start();
    requests.list().await.answer("10", []);
    registration.wait_for_sync().await.unwrap();
    assert!(informer.has_synced());
}

/// Proves I8.
#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_goes_on() {
    let (informer, _requests, events) = synced().await;
    let (told, mut receiver) = mpsc::unbounded_channel();
    let handler = EventHandlerFuncs::new()
        .on_add(|object: &Map, _| assert_ne!(object.name(), "a", "a handler's mistake"))
        .on_update(move |_, new| told.send(short(new)).unwrap());
    let registration = informer.add_handler(handler).unwrap();
    registration.wait_for_sync().await.unwrap();
    events.modified(object("a", 11));
    assert_eq!(receiver.recv().await.unwrap(), "a@11");
}

#[tokio::test(start_paused = true)]
async fn a_removed_handler_is_told_nothing_more() {
    let (informer, _requests, events) = synced().await;
    let ((handler, mut told), (other, mut still_told)) = (recorder(), recorder());
    let registration = informer.add_handler(handler).unwrap();
    informer.add_handler(other).unwrap();
    told.sorted::<2>().await;
    still_told.sorted::<2>().await;
    registration.remove();
    events.added(object("c", 11));
    assert_eq!(still_told.next().await, "add c@11");
    assert_eq!(told.0.recv().await, None, "the handler itself is gone");
    assert_eq!(informer.stats().handlers, 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_removed_between_two_calls_gets_no_second() {
    let (informer, _requests, events) = synced().await;
    let (slow, mut told, gate) = slow_recorder();
    let registration = informer.add_handler(slow).unwrap();
    for _ in 0..2 {
        told.next().await;
        gate.notify_one();
    }
    events.deleted(object("a", 11));
    events.added(reborn("a", "another", 12));
    assert_eq!(told.next().await, "delete a@11");
    registration.remove();
    gate.notify_one();
    assert_eq!(told.0.recv().await, None);
}

/// Proves I14.
#[tokio::test(start_paused = true)]
async fn shutdown_ends_the_watch_and_joins_every_task() {
    let (informer, requests, events) = synced().await;
    let (slow, mut told, gate) = slow_recorder();
    let registration = informer.add_handler(slow).unwrap();
    told.next().await;
    let shutdown = tokio::spawn({
        let informer = informer.clone();
        async move { informer.shutdown().await }
    });
    events.closed().await;
    settle().await;
    assert!(!shutdown.is_finished(), "a call that has begun comes to its end");
    gate.notify_one();
    shutdown.await.unwrap();
    assert!(informer.core.tasks.is_empty() && !requests.any());
    assert_eq!(told.0.recv().await, None, "no further call");
    assert!(registration.wait_for_sync().await.is_err());
    let refused = informer.add_handler(recorder().0).unwrap_err();
    assert_eq!(refused.to_string(), "the informer of configmaps has stopped");
    assert_eq!(informer.lister().len(), 2, "what was known can still be read");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_stops_the_informer() {
    let (informer, _requests, events) = synced().await;
    let (handler, mut told) = recorder();
    informer.add_handler(handler).unwrap();
    told.sorted::<2>().await;
    let other = informer.clone();
    drop(informer);
    events.added(object("c", 11));
    assert_eq!(told.next().await, "add c@11");
    drop(other);
    events.closed().await;
    assert_eq!(told.0.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_informer_that_stops_ends() {
    let (informer, _requests) = informer();
    informer.start();
    let waiting = tokio::spawn({
        let informer = informer.clone();
        async move { informer.wait_for_sync().await }
    });
    settle().await;
    informer.shutdown().await;
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn stats_say_what_happened() {
    let (informer, _requests, events) = synced().await;
    informer.add_handler(EventHandlerFuncs::new()).unwrap();
    events.bookmark("12");
    settle().await;
    let stats = informer.stats();
    assert_eq!((stats.objects, stats.handlers, stats.pending), (2, 1, 0));
    let bytes: usize = informer.lister().list().iter().map(CachedObject::size).sum();
    assert_eq!(stats.bytes, bytes);
    assert!(stats.time_to_sync.is_some());
    assert_eq!(
        (
            stats.reflector.lists,
            stats.reflector.watches,
            stats.reflector.bookmarks
        ),
        (1, 1, 1)
    );
    assert_eq!(stats.reflector.last_resource_version.as_str(), "12");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_does_not_hold_the_end_back() {
    let (informer, _requests, _changes) = synced().await;
    let events = informer.events().unwrap();
    // The first event is in the stream by then, and the second waits for its place.
    sleep(Duration::from_secs(1)).await;
    let ended = tokio::time::timeout(Duration::from_secs(60), informer.shutdown()).await;
    assert!(ended.is_ok(), "the informer waits for the stream");
    drop(events);
}
