//! Lists as streams, on servers that can do that, cannot, or break off.

use std::time::Duration;

use kubewire_client::api::VersionMatch;
use kubewire_client::backoff::ExponentialOptions;
use tokio::time::{Instant, sleep};

use super::{Run, run_on};
use crate::fake::{Events, connection_refused, object, refusal, streaming_source, too_large};
use crate::reflector::ReflectorOptions;

fn run() -> Run {
    run_on(streaming_source(), ReflectorOptions::default())
}

/// Proves R5 R17.
#[tokio::test(start_paused = true)]
async fn streams_the_list_by_default() {
    let mut run = run();
    let watch = run.requests.watch().await;
    assert_eq!((watch.version(), watch.options.send_initial_events), ("0", Some(true)));
    assert_eq!(watch.options.resource_version_match, Some(VersionMatch::NotOlderThan));
    let events = watch.accept();
    events.added(object("a", 7));
    events.added(object("b", 3));
    events.deleted(object("b", 8));
    events.added(object("c", 2));
    sleep(Duration::from_secs(1)).await;
    assert!(run.stored().is_empty(), "nobody sees half a list");
    events.initial_events_end("10");
    events.modified(object("a", 11));
    events.end().await;
    let watch = run.requests.watch().await;
    assert_eq!(
        (watch.version(), watch.options.send_initial_events),
        ("11", None),
        "the stream went on as a watch"
    );
    assert_eq!(run.stored(), ["a@11", "c@2"]);
    watch.fail(refusal(410, "Expired"));
    let watch = run.requests.watch().await;
    assert_eq!((watch.version(), watch.options.send_initial_events), ("11", Some(true)));
    watch.fail(too_large());
    let watch = run.requests.watch().await;
    assert_eq!((watch.version(), watch.options.send_initial_events), ("", Some(true)));
    watch.fail(connection_refused().await);
    let events = run.requests.watch().await.accept();
    events.initial_events_end("20");
    events.end().await;
    assert_eq!(run.requests.watch().await.version(), "20");
    assert!(run.stored().is_empty());
    assert_eq!((run.reflector.stats().lists, run.reflector.stats().pages), (2, 0));
}

/// Proves R6.
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_to_stream_is_asked_for_lists_from_then_on() {
    for code in [400, 422] {
        let mut run = run();
        run.requests.watch().await.fail(refusal(code, "Invalid"));
        run.requests.list().await.answer("10", [object("a", 1)]);
        run.requests.watch().await.fail(refusal(410, "Expired"));
        run.requests.list().await.answer("11", []);
        assert_eq!(run.requests.watch().await.options.send_initial_events, None);
        let errors = run.errors.lock().clone();
        assert!(errors.is_empty(), "nothing is wrong: {errors:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_refusal_is_not_for_ever() {
    let mut run = run();
    run.requests.watch().await.fail(refusal(404, "NotFound"));
    run.requests.list().await.fail(refusal(404, "NotFound"));
    let events = run.requests.watch().await.accept();
    assert_eq!(run.errors.lock().len(), 1, "told once");
    events.initial_events_end("10");
    events.end().await;
    assert_eq!(run.requests.watch().await.version(), "10");
}

/// A server that does not know of streaming lists ignores the wish: it sends every object, then whatever happens, and
/// never says that the state is complete.
///
/// Proves R6.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_know_of_streams_is_asked_for_lists_from_then_on() {
    type EverySecond = fn(&Events, u64);
    let silent: EverySecond = |_, _| ();
    let slow: EverySecond = |events, second| {
        if second <= 8 {
            events.added(object(&second.to_string(), second));
        }
    };
    let busy: EverySecond = |events, second| events.modified(object("a", second));
    let coming_and_going: EverySecond = |events, second| events.deleted(object("other", second));
    let anew: EverySecond = |events, second| events.added(object("a", second));
    let bookmarks: EverySecond = |events, second| {
        if second == 3 {
            events.bookmark("5");
        }
    };
    let cases = [
        (silent, 5),
        (slow, 13),
        (busy, 5),
        (coming_and_going, 5),
        (anew, 5),
        (bookmarks, 3),
    ];
    for (case, (every_second, expected)) in cases.into_iter().enumerate() {
        let mut run = run();
        let started = Instant::now();
        let events = run.requests.watch().await.accept();
        events.added(object("a", 1));
        for second in 1.. {
            sleep(Duration::from_secs(1)).await;
            if run.requests.any() {
                break;
            }
            every_second(&events, second);
        }
        let waited = started.elapsed().as_secs();
        assert!((expected..=expected + 1).contains(&waited), "case {case}: {waited} s");
        run.requests.list().await.answer("10", [object("a", 1)]);
        events.closed().await;
        run.requests.watch().await.fail(refusal(410, "Expired"));
        run.requests.list().await.answer("11", []);
        run.requests.watch().await;
        assert!(run.errors.lock().is_empty(), "nothing is wrong");
    }
}

/// Proves R6 R17.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_off_within_the_list_is_tried_again_and_then_given_up() {
    let steady = ExponentialOptions::default().with_jitter(false);
    let mut run = run_on(streaming_source(), ReflectorOptions::default().with_backoff(steady));
    for attempt in 0..3 {
        let watch = run.requests.watch().await;
        assert_eq!(watch.options.send_initial_events, Some(true));
        let events = watch.accept();
        events.added(object("half", 1));
        if attempt == 1 {
            events.fail(connection_refused().await);
        }
    }
    run.requests.list().await.answer("10", [object("b", 1)]);
    run.requests.watch().await;
    assert_eq!(run.stored(), ["b@1"], "nothing of a half list is kept");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_comes_whole_forgets_those_that_were_cut_off() {
    let mut run = run();
    for version in ["10", "20", "30"] {
        for _ in 0..2 {
            drop(run.requests.watch().await.accept());
        }
        let events = run.requests.watch().await.accept();
        events.initial_events_end(version);
        events.fail(refusal(410, "Expired"));
    }
    assert_eq!(run.requests.watch().await.options.send_initial_events, Some(true));
}

/// Proves R5.
#[tokio::test(start_paused = true)]
async fn streams_only_where_wanted() {
    let mut run = run_on(
        streaming_source(),
        ReflectorOptions::default().with_streaming_list(false),
    );
    run.requests.list().await.answer("10", []);
    assert_eq!(run.requests.watch().await.options.send_initial_events, None);
}
