//! A recorder against a server that keeps events. Time is paused.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::Method;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kubewire_client::Object;
use kubewire_client::transport::{Body, Transport, TransportError};
use kubewire_client::wire::Envelope;
use tokio::time::sleep;

use super::*;

#[derive(Default)]
struct Server {
    events: Mutex<BTreeMap<String, Event>>,
    requests: AtomicU64,
    /// What it answers instead.
    refusal: Mutex<Option<u16>>,
}

struct Line(Arc<Server>);

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Body>, TransportError> {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(code) = *self.0.refusal.lock() {
            return Ok(status(code));
        }
        assert!(
            request
                .uri()
                .path()
                .starts_with("/apis/events.k8s.io/v1/namespaces/shop/events")
        );
        let mut events = self.0.events.lock();
        let event = if *request.method() == Method::POST {
            let event = Event::decode(&Envelope::decode(request.body()).unwrap().object).unwrap();
            let name = event.metadata.name.clone().unwrap();
            events.entry(name).or_insert(event).clone()
        } else {
            assert_eq!(request.headers()["content-type"], "application/merge-patch+json");
            let name = request.uri().path().rsplit('/').next().unwrap();
            let Some(event) = events.get_mut(name) else {
                return Ok(status(404));
            };
            let patch: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            event.series = serde_json::from_value(patch["series"].clone()).unwrap();
            event.clone()
        };
        Ok(answer(200, serde_json::to_string(&event).unwrap()))
    }
}

fn status(code: u16) -> http::Response<Body> {
    answer(
        code,
        format!(r#"{{"kind":"Status","apiVersion":"v1","code":{code},"reason":"","message":"no"}}"#),
    )
}

fn answer(code: u16, body: String) -> http::Response<Body> {
    let body = futures::stream::iter([Ok(Bytes::from(body))]).boxed();
    let response = http::Response::builder()
        .status(code)
        .header("content-type", "application/json");
    response.body(body).unwrap()
}

fn recorder() -> (EventRecorder, Arc<Server>) {
    let server = Arc::new(Server::default());
    let client = Client::with_transport(Arc::new(Line(server.clone())));
    (EventRecorder::new(client, "shop.example/checkout", "pod-7"), server)
}

fn occurrence(reason: &str) -> Occurrence {
    let mut pod = Pod::default();
    pod.metadata.name = Some("web".to_owned());
    pod.metadata.namespace = Some("shop".to_owned());
    pod.metadata.uid = Some("1".to_owned());
    Occurrence::warning(reference_to(&pod), "Evict", reason).with_note("for the test")
}

impl Server {
    fn counts(&self) -> Vec<(String, i32)> {
        let events = self.events.lock();
        let count = |event: &Event| event.series.as_ref().map_or(1, |series| series.count);
        let mut counts: Vec<_> = events
            .values()
            .map(|event| (event.reason.clone().unwrap(), count(event)))
            .collect();
        counts.sort();
        counts
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_says_who_what_and_why() {
    let (recorder, server) = recorder();
    recorder.record(occurrence("Expensive").with_note("ä".repeat(600)));
    recorder.shutdown().await;
    let event = server.events.lock().values().next().unwrap().clone();
    let regarding = event.regarding.unwrap();
    assert_eq!(
        (regarding.kind.as_deref(), regarding.api_version.as_deref()),
        (Some("Pod"), Some("v1"))
    );
    assert!(event.metadata.name.unwrap().starts_with("web."));
    assert_eq!(event.reporting_controller.as_deref(), Some("shop.example/checkout"));
    assert_eq!(
        (event.type_.as_deref(), event.action.as_deref()),
        (Some("Warning"), Some("Evict"))
    );
    assert_eq!(event.note.unwrap().len(), 1024);
    assert!(event.event_time.is_some() && event.series.is_none());
}

/// Proves E3.
#[tokio::test(start_paused = true)]
async fn repetitions_become_a_series() {
    let (recorder, server) = recorder();
    for _ in 0..10 {
        recorder.record(occurrence("Expensive"));
        sleep(Duration::from_secs(1)).await;
    }
    recorder.record(occurrence("Slow"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        server.counts(),
        [("Expensive".to_owned(), 2), ("Slow".to_owned(), 1)],
        "the first repetition at once"
    );
    assert_eq!(server.requests.load(Ordering::Relaxed), 3);
    sleep(Duration::from_secs(13 * 60)).await;
    assert_eq!(
        server.counts()[0],
        ("Expensive".to_owned(), 10),
        "the rest when the series has ended"
    );
    recorder.record(occurrence("Expensive"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.events.lock().len(), 3, "and then it is a new event");
}

/// Proves E3 E6.
#[tokio::test(start_paused = true)]
async fn a_long_series_is_written_now_and_then_and_at_the_end() {
    let (recorder, server) = recorder();
    for minute in 0..40 {
        recorder.record(occurrence("Expensive"));
        sleep(Duration::from_secs(60)).await;
        if minute == 37 {
            assert!(server.counts()[0].1 > 25, "{:?}", server.counts());
        }
    }
    recorder.shutdown().await;
    assert_eq!(server.counts(), [("Expensive".to_owned(), 40)]);
    assert!(server.requests.load(Ordering::Relaxed) <= 4);
    recorder.record(occurrence("Late"));
    assert_eq!(recorder.stats().dropped, 1);
}

/// Proves E4.
#[tokio::test(start_paused = true)]
async fn an_object_gets_25_events_at_once_and_then_one_every_5_minutes() {
    let (recorder, server) = recorder();
    let record =
        |range: std::ops::Range<u32>| range.for_each(|reason| recorder.record(occurrence(&format!("R{reason}"))));
    record(0..40);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((server.events.lock().len(), recorder.stats().spam), (25, 15));
    sleep(Duration::from_secs(601)).await;
    record(40..50);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((server.events.lock().len(), recorder.stats().spam), (27, 23));
}

/// Proves E1 E2.
#[tokio::test(start_paused = true)]
async fn recording_never_waits_and_counts_what_finds_no_room() {
    let (recorder, server) = recorder();
    *server.refusal.lock() = Some(500);
    (0..1_500).for_each(|reason| recorder.record(occurrence(&format!("R{reason}"))));
    assert_eq!(recorder.stats().dropped, 500, "beyond the queue");
}

/// Proves E5.
#[tokio::test(start_paused = true)]
async fn what_may_help_is_tried_again_and_what_will_not_is_given_up() {
    let (recorder, server) = recorder();
    *server.refusal.lock() = Some(500);
    recorder.record(occurrence("Later"));
    sleep(Duration::from_secs(5)).await;
    *server.refusal.lock() = None;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(server.counts(), [("Later".to_owned(), 1)]);
    *server.refusal.lock() = Some(403);
    let before = server.requests.load(Ordering::Relaxed);
    recorder.record(occurrence("Never"));
    sleep(Duration::from_secs(600)).await;
    assert_eq!(
        (
            server.requests.load(Ordering::Relaxed) - before,
            recorder.stats().failed
        ),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_series_whose_event_was_deleted_is_created_anew() {
    let (recorder, server) = recorder();
    recorder.record(occurrence("Expensive"));
    sleep(Duration::from_secs(1)).await;
    server.events.lock().clear();
    recorder.record(occurrence("Expensive"));
    recorder.shutdown().await;
    assert_eq!(server.counts(), [("Expensive".to_owned(), 2)]);
}

/// Proves E3.
#[tokio::test(start_paused = true)]
async fn a_series_that_a_new_event_ends_is_written_too() {
    let (recorder, server) = recorder();
    sleep(Duration::from_secs(60)).await;
    for _ in 0..5 {
        recorder.record(occurrence("Expensive"));
        sleep(Duration::from_secs(1)).await;
    }
    // It has ended by then, which is looked after every six minutes.
    sleep(Duration::from_secs(361)).await;
    recorder.record(occurrence("Expensive"));
    sleep(Duration::from_secs(1)).await;
    let counts = server.counts();
    assert_eq!(counts, [("Expensive".to_owned(), 1), ("Expensive".to_owned(), 5)]);
}

/// Proves E4.
#[tokio::test(start_paused = true)]
async fn the_fields_of_an_object_share_its_events() {
    let (recorder, server) = recorder();
    for container in 0..40 {
        let mut occurrence = occurrence("Expensive");
        occurrence.regarding.field_path = Some(format!("spec.containers{{{container}}}"));
        recorder.record(occurrence);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!((server.events.lock().len(), recorder.stats().spam), (25, 15));
}

#[tokio::test(start_paused = true)]
async fn an_event_of_an_object_with_a_name_that_events_cannot_have_has_another() {
    let (recorder, server) = recorder();
    for (name, prefix) in [
        ("web.1", "web.1."),
        ("system:node", "event."),
        ("-web", "event."),
        (&"a".repeat(250), "event."),
    ] {
        let mut occurrence = occurrence("Expensive");
        occurrence.regarding.name = Some(name.to_owned());
        recorder.record(occurrence);
        sleep(Duration::from_secs(1)).await;
        let events = server.events.lock();
        let event = events
            .values()
            .find(|event| event.regarding.as_ref().unwrap().name.as_deref() == Some(name));
        let given = event.unwrap().metadata.name.clone().unwrap();
        assert!(given.starts_with(prefix) && given.len() <= 253, "{given}");
    }
}
