//! Who uses an informer, how long it runs, and what it costs that somebody is slow. Time is paused.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::ResourceVersion;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::tests::{informer, recorder, settle, slow_recorder, synced};
use super::{Event, EventHandlerFuncs, InformerOptions, SharedInformer};
use crate::cache::CachedObject;
use crate::fake::{object, short, source};
use crate::metrics::Metrics;
use crate::reflector::ReflectorOptions;

/// Proves I11.
#[tokio::test(start_paused = true)]
async fn events_as_a_stream_begin_with_the_store() {
    let (informer, _requests, events) = synced().await;
    let mut stream = informer.events().unwrap();
    let mut initial = Vec::new();
    for _ in 0..2 {
        let Some(Event::Added {
            object,
            is_in_initial_list: true,
        }) = stream.next().await
        else {
            panic!()
        };
        initial.push(short(&object));
    }
    initial.sort();
    assert_eq!(initial, ["a@1", "b@2"]);
    events.modified(object("a", 11));
    let Some(Event::Updated { old, new }) = stream.next().await else {
        panic!()
    };
    assert_eq!((short(&old), short(&new)), ("a@1".to_owned(), "a@11".to_owned()));
    events.deleted(object("b", 12));
    let Some(Event::Deleted {
        object,
        final_state_known: true,
    }) = stream.next().await
    else {
        panic!()
    };
    assert_eq!(short(&object), "b@12");
    sleep(Duration::from_secs(631)).await;
    let Some(Event::Synced(object)) = stream.next().await else {
        panic!()
    };
    assert_eq!(short(&object), "a@11");
    assert_eq!(informer.stats().handlers, 1);
    drop(stream);
    assert_eq!(informer.stats().handlers, 0, "dropping the stream removes it");
}

/// Proves I13.
#[tokio::test(start_paused = true)]
async fn a_stream_keeps_the_informer_running_and_ends_with_it() {
    let (informer, _requests, _events) = synced().await;
    let mut stream = informer.events().unwrap();
    let other = informer.downgraded();
    drop(informer);
    assert!(!other.is_stopped());
    stream.next().await.unwrap();
    other.cancel();
    while let Some(event) = stream.next().await {
        assert!(matches!(event, Event::Added { .. }), "only what was on its way");
    }
    other.shutdown().await;
}

/// Proves I13.
#[tokio::test(start_paused = true)]
async fn the_last_handle_or_lister_stops_the_informer() {
    let (informer, _requests, events) = synced().await;
    let (clone, lister) = (informer.clone(), informer.lister());
    informer.add_handler(EventHandlerFuncs::new()).unwrap();
    let core = informer.core.clone();
    drop(informer);
    drop(clone);
    settle().await;
    assert!(
        !core.stop.is_cancelled(),
        "a lister reads a store that is kept up to date"
    );
    drop(lister);
    assert!(
        core.stop.is_cancelled(),
        "handlers alone keep no informer that is not a factory's"
    );
    events.closed().await;
    assert!(core.handle().is_none(), "what has stopped is not to be had again");
}

#[tokio::test(start_paused = true)]
async fn coalesced_notifications_are_counted() {
    let (informer, _requests, events) = synced().await;
    let (handler, mut told, gate) = slow_recorder();
    let registration = informer.add_handler(handler).unwrap();
    let busy_with = told.next().await;
    let name = if busy_with.contains('a') && !busy_with.contains("b@2") {
        "b"
    } else {
        "a"
    };
    for version in 11..=20 {
        events.modified(object(name, version));
        settle().await;
    }
    let stats = registration.stats();
    assert_eq!((stats.pending, stats.coalesced, stats.panics), (1, 10, 0));
    assert_eq!(informer.stats().coalesced, 10);
    gate.notify_one();
    assert_eq!(
        told.next().await,
        format!("add {name}@20 initially"),
        "the final state, of an object that was there"
    );
}

/// Proves I8.
#[tokio::test(start_paused = true)]
async fn a_handler_that_sleeps_for_ever_harms_nobody_and_costs_bounded_memory() {
    let (informer, _requests, events) = synced().await;
    let (asleep, mut first, _never) = slow_recorder();
    let asleep = informer.add_handler(asleep).unwrap();
    first.next().await;
    let last_seen = Arc::new(Mutex::new(String::new()));
    let seen = last_seen.clone();
    let quick = EventHandlerFuncs::new().on_update(move |_, new| *seen.lock() = short(new));
    informer.add_handler(quick).unwrap();
    for version in 11..=2_010 {
        events.modified(object("a", version));
        if version % 100 == 10 {
            settle().await;
            assert_eq!(
                *last_seen.lock(),
                format!("a@{version}"),
                "the other one is told at once"
            );
            let pending = asleep.stats().pending;
            assert!(pending <= 2, "{pending} objects are pending, of 2 that there are");
        }
    }
    assert!(
        informer.shutdown().now_or_never().is_none(),
        "a call that has begun is waited for"
    );
}

/// Proves I5.
#[tokio::test(start_paused = true)]
async fn the_store_has_what_a_handler_is_told() {
    let (informer, _requests, events) = synced().await;
    let lister = informer.lister();
    let told = Arc::new(Mutex::new(Vec::new()));
    let (added, updated, deleted) = (lister.clone(), lister.clone(), lister);
    let handler = EventHandlerFuncs::new()
        .on_add(move |object: &CachedObject<ConfigMap>, _| assert!(added.get(&object.key()).is_some()))
        .on_update({
            let told = told.clone();
            move |_, new| {
                let stored = updated.get(&new.key()).unwrap();
                told.lock().push((short(new), short(&stored)));
            }
        })
        .on_delete(move |object, _| assert!(deleted.get(&object.key()).is_none()));
    let registration = informer.add_handler(handler).unwrap();
    registration.wait_for_sync().await.unwrap();
    for version in 11..=30 {
        events.modified(object("a", version));
        if version % 3 == 0 {
            settle().await;
        }
    }
    events.deleted(object("b", 31));
    settle().await;
    let told = told.lock().clone();
    let version = |short: &str| short.strip_prefix("a@").unwrap().parse::<u32>().unwrap();
    assert!(
        told.iter().all(|(told, stored)| version(told) <= version(stored)),
        "{told:?}"
    );
    assert_eq!(told.last().unwrap().0, "a@30");
    assert_eq!(registration.stats().panics, 0);
}

/// Proves I12.
#[tokio::test(start_paused = true)]
async fn waits_for_a_version() {
    let (informer, _requests, events) = synced().await;
    assert_eq!(informer.last_sync_resource_version().as_str(), "10");
    informer.wait_for_version(&"9".into()).await.unwrap();
    informer.wait_for_version(&"10".into()).await.unwrap();
    let wait = tokio::spawn({
        let informer = informer.clone();
        async move {
            informer.wait_for_version(&ResourceVersion::from("12")).await.unwrap();
            short(&informer.lister().namespace("shop").get("a").unwrap())
        }
    });
    events.modified(object("a", 11));
    settle().await;
    assert!(!wait.is_finished());
    events.modified(object("a", 12));
    assert_eq!(wait.await.unwrap(), "a@12", "the store has what was waited for");
    events.bookmark("99");
    informer.wait_for_version(&"99".into()).await.unwrap();
    let never = tokio::spawn({
        let informer = informer.clone();
        async move { informer.wait_for_version(&"opaque".into()).await }
    });
    settle().await;
    informer.shutdown().await;
    assert!(never.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_first_list_is_not_older_than_a_saved_version() {
    let (source, mut requests) = source();
    let saved = ReflectorOptions::default().with_not_older_than("40".into());
    let informer = SharedInformer::<ConfigMap>::new(source, InformerOptions::default().with_reflector(saved));
    informer.start();
    let list = requests.list().await;
    assert_eq!(list.version(), "40");
    list.answer("41", []);
    informer.wait_for_sync().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_transform_changes_what_is_kept() {
    let (source, mut requests) = source();
    let options = ReflectorOptions::default().with_transform(|map: &mut ConfigMap| {
        let labels = map.metadata.labels.get_or_insert_default();
        labels.insert("seen".to_owned(), "yes".to_owned());
    });
    let informer = SharedInformer::<ConfigMap>::new(source, InformerOptions::default().with_reflector(options));
    informer.start();
    requests.list().await.answer("10", [object("a", 1)]);
    informer.wait_for_sync().await.unwrap();
    let map = informer.lister().namespace("shop").get("a").unwrap();
    assert_eq!((map.label("seen"), map.label("app")), (Some("yes"), Some("a")));
    assert_eq!(map.decode().unwrap().metadata.labels.as_ref().unwrap()["seen"], "yes");
}

#[tokio::test(start_paused = true)]
async fn metrics_and_stats_tell_what_happens() {
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);
    impl Metrics for Told {
        fn listed(&self, resource: &str, objects: usize, _: Duration) {
            self.0.lock().push(format!("{objects} {resource} listed"));
        }
        fn watch_started(&self, resource: &str) {
            self.0.lock().push(format!("watch of {resource}"));
        }
        fn store_changed(&self, resource: &str, objects: usize, bytes: usize, _: Duration) {
            assert!(bytes > objects);
            self.0.lock().push(format!("{objects} {resource}"));
        }
    }
    let (source, mut requests) = source();
    let told = Arc::new(Told::default());
    let options = ReflectorOptions::default().with_metrics(told.clone());
    let informer = SharedInformer::<ConfigMap>::new(source, InformerOptions::default().with_reflector(options));
    assert_eq!(informer.stats().reflector.last_event_age(), None);
    informer.start();
    requests.list().await.answer("10", [object("a", 1)]);
    let events = requests.watch().await.accept();
    settle().await;
    events.added(object("b", 11));
    settle().await;
    let mut seen = told.0.lock().clone();
    seen.sort();
    let expected = [
        "1 configmaps",
        "1 configmaps listed",
        "2 configmaps",
        "watch of configmaps",
    ];
    assert_eq!(seen, expected);
    sleep(Duration::from_secs(60)).await;
    let age = informer.stats().reflector.last_event_age().unwrap();
    assert_eq!(age.as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn two_thousand_informers_leave_nothing_behind() {
    let alive = Arc::new(());
    for _ in 0..2_000 {
        let (informer, mut requests) = informer();
        let (handler, _told) = recorder();
        informer.add_handler(handler).unwrap();
        let token = alive.clone();
        let holder = EventHandlerFuncs::new().on_add(move |_: &CachedObject<ConfigMap>, _| {
            let _ = &token;
        });
        informer.add_handler(holder).unwrap();
        informer.start();
        requests.list().await.answer("10", [object("a", 1)]);
        let events = requests.watch().await.accept();
        informer.wait_for_sync().await.unwrap();
        let core = Arc::downgrade(&informer.core);
        informer.shutdown().await;
        events.closed().await;
        drop(informer);
        assert!(core.upgrade().is_none(), "something still has the informer");
    }
    assert_eq!(Arc::strong_count(&alive), 1, "every handler is gone");
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

/// Proves I15.
#[tokio::test(start_paused = true)]
async fn an_index_or_a_transform_that_panics_stops_the_informer() {
    let mistake = |options: ReflectorOptions| options.with_transform(|_: &mut ConfigMap| panic!("for the test"));
    for in_transform in [false, true] {
        let (source, mut requests) = source();
        let options = ReflectorOptions::default();
        let options = if in_transform { mistake(options) } else { options };
        let informer = SharedInformer::<ConfigMap>::new(source, InformerOptions::default().with_reflector(options));
        if !in_transform {
            informer.add_index("panics", |_| panic!("for the test")).unwrap();
        }
        let mut events = informer.events().unwrap();
        informer.start();
        requests.list().await.answer("10", [object("a", 1)]);
        let wait = tokio::time::timeout(Duration::from_secs(60), informer.wait_for_sync());
        assert!(wait.await.expect("it has stopped").is_err());
        assert!(events.next().await.is_none());
        informer.shutdown().await;
    }
}

/// Proves I10.
#[tokio::test(start_paused = true)]
async fn not_all_handlers_are_resynced_at_once() {
    let (informer, _requests, _events) = synced().await;
    let added = Instant::now();
    let resynced = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..20 {
        let resynced = resynced.clone();
        let mut seen = false;
        let handler = EventHandlerFuncs::new().on_sync(move |_| {
            if !std::mem::replace(&mut seen, true) {
                resynced.lock().push(added.elapsed().as_millis());
            }
        });
        informer
            .add_handler_with_resync(handler, Duration::from_secs(100))
            .unwrap();
    }
    sleep(Duration::from_secs(110)).await;
    let mut resynced = resynced.lock().clone();
    assert_eq!(resynced.len(), 20);
    assert!(
        resynced.iter().all(|after| (100_000..=105_001).contains(after)),
        "{resynced:?}"
    );
    resynced.sort();
    resynced.dedup();
    assert!(resynced.len() > 5, "{resynced:?}");
}
