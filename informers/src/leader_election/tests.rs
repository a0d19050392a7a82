//! Candidates against a server with one lease. Time is paused.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::Method;
use kubewire_client::Object;
use kubewire_client::transport::{Body, Transport, TransportError};
use kubewire_client::wire::Envelope;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

/// Keeps one lease; counts versions, refuses writes to an old one.
#[derive(Default)]
struct Server(Mutex<State>);

#[derive(Default)]
struct State {
    lease: Option<Lease>,
    version: u64,
    /// Nobody gets through.
    down: bool,
}

struct Line {
    server: Arc<Server>,
    cut: Arc<Mutex<bool>>,
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Body>, TransportError> {
        let mut state = self.server.0.lock();
        if state.down || *self.cut.lock() {
            return Err(TransportError::connect("no route to host"));
        }
        let status = |code: u16, reason: &str| {
            let body = format!(
                r#"{{"kind":"Status","apiVersion":"v1","code":{code},"reason":"{reason}","message":"{reason}"}}"#
            );
            answer(code, body)
        };
        if *request.method() == Method::GET {
            return Ok(match &state.lease {
                Some(lease) => answer(200, serde_json::to_string(lease).unwrap()),
                None => status(404, "NotFound"),
            });
        }
        let mut sent = Lease::decode(&Envelope::decode(request.body()).unwrap().object).unwrap();
        let known = state
            .lease
            .as_ref()
            .map(|lease| lease.metadata.resource_version.clone());
        match (request.method(), known) {
            (&Method::POST, Some(_)) => return Ok(status(409, "AlreadyExists")),
            (&Method::PUT, Some(version)) if version != sent.metadata.resource_version => {
                return Ok(status(409, "Conflict"));
            }
            _ => {}
        }
        state.version += 1;
        sent.metadata.resource_version = Some(state.version.to_string());
        state.lease = Some(sent.clone());
        Ok(answer(200, serde_json::to_string(&sent).unwrap()))
    }
}

fn answer(code: u16, body: String) -> http::Response<Body> {
    let body = futures::stream::iter([Ok(Bytes::from(body))]).boxed();
    let response = http::Response::builder()
        .status(code)
        .header("content-type", "application/json");
    response.body(body).unwrap()
}

/// Someone who wants to lead, and says what happens.
struct Candidate {
    elector: Arc<LeaderElector>,
    stop: CancellationToken,
    cut: Arc<Mutex<bool>>,
    told: mpsc::UnboundedReceiver<&'static str>,
    run: JoinHandle<Result<(), LeaderElectionError>>,
}

fn candidate(server: &Arc<Server>, identity: &str) -> Candidate {
    let cut = Arc::new(Mutex::new(false));
    let line = Line {
        server: server.clone(),
        cut: cut.clone(),
    };
    let client = Client::with_transport(Arc::new(line));
    let elector = LeaderElector::new(client, "shop", "checkout", identity, LeaderElectionOptions::default()).unwrap();
    let (elector, stop) = (Arc::new(elector), CancellationToken::new());
    let (sender, told) = mpsc::unbounded_channel();
    let run = tokio::spawn({
        let (elector, stop) = (elector.clone(), stop.clone());
        async move {
            let work = |leading: CancellationToken| async move {
                sender.send("leading").ok();
                leading.cancelled().await;
                // It takes a while to put everything in order.
                sleep(Duration::from_secs(3)).await;
                sender.send("ended").ok();
            };
            elector.run(stop, work).await
        }
    });
    Candidate {
        elector,
        stop,
        cut,
        told,
        run,
    }
}

impl Server {
    fn spec(&self) -> k8s_openapi::api::coordination::v1::LeaseSpec {
        self.0.lock().lease.clone().unwrap().spec.unwrap()
    }
}

/// Proves L1 L6.
#[tokio::test(start_paused = true)]
async fn one_leads_and_hands_over_when_it_is_stopped() {
    let server = Arc::new(Server::default());
    let mut one = candidate(&server, "one");
    assert_eq!(one.told.recv().await.unwrap(), "leading");
    let mut other = candidate(&server, "other");
    let mut leader = other.elector.leader();
    leader
        .wait_for(|leader| leader.as_deref() == Some("one"))
        .await
        .unwrap();
    sleep(Duration::from_secs(600)).await;
    assert!(one.elector.is_leader() && !other.elector.is_leader() && other.told.is_empty());
    assert_eq!(
        (server.spec().lease_transitions, server.spec().lease_duration_seconds),
        (Some(0), Some(15))
    );

    let stopped = Instant::now();
    one.stop.cancel();
    sleep(Duration::from_secs(2)).await;
    assert!(one.told.is_empty() && other.told.is_empty());
    assert_eq!(
        server.spec().holder_identity.as_deref(),
        Some("one"),
        "kept until the work has ended"
    );
    one.run.await.unwrap().unwrap();
    assert!(!one.elector.is_leader());
    assert_eq!(other.told.recv().await.unwrap(), "leading");
    assert!(
        stopped.elapsed() < Duration::from_secs(3 + 5),
        "without waiting for the lease to run out"
    );
    assert_eq!(server.spec().lease_transitions, Some(1));
}

/// Proves L2 L3 L4 L5.
#[tokio::test(start_paused = true)]
async fn a_leader_out_of_reach_stops_before_another_one_begins() {
    let server = Arc::new(Server::default());
    let mut one = candidate(&server, "one");
    assert_eq!(one.told.recv().await.unwrap(), "leading");
    let mut other = candidate(&server, "other");
    sleep(Duration::from_secs(60)).await;

    let cut_at = Instant::now();
    *one.cut.lock() = true;
    // The client tries again and again by itself, so the deadline is met inside one try.
    let run = &mut one.run;
    let lost = tokio::select! {
        lost = run => lost.unwrap().unwrap_err(),
        _ = other.told.recv() => panic!("two at once"),
    };
    assert!(
        lost.to_string().starts_with("one lost the lease shop/checkout"),
        "{lost}"
    );
    assert_eq!(one.told.recv().await.unwrap(), "ended");
    assert!(
        cut_at.elapsed() <= Duration::from_secs(2 + 10 + 3),
        "{:?}",
        cut_at.elapsed()
    );
    assert_eq!(other.told.recv().await.unwrap(), "leading");
    assert!(
        cut_at.elapsed() >= Duration::from_secs(13),
        "the lease has run out by then: {:?}",
        cut_at.elapsed()
    );
    assert_eq!(server.spec().holder_identity.as_deref(), Some("other"));
}

/// Proves L7.
#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_was_taken_is_told() {
    let server = Arc::new(Server::default());
    let mut one = candidate(&server, "one");
    assert_eq!(one.told.recv().await.unwrap(), "leading");
    {
        let mut state = server.0.lock();
        state.version += 1;
        let version = state.version.to_string();
        let lease = state.lease.as_mut().unwrap();
        lease.metadata.resource_version = Some(version);
        lease.spec.as_mut().unwrap().holder_identity = Some("somebody".to_owned());
    }
    let lost = one.run.await.unwrap().unwrap_err();
    assert!(
        matches!(lost, LeaderElectionError::Lost { last_error: None, .. }),
        "{lost}"
    );
    assert_eq!(one.told.recv().await.unwrap(), "ended");
    assert_eq!(one.elector.leader().borrow().as_deref(), Some("somebody"));
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_gives_the_lease_away() {
    let server = Arc::new(Server::default());
    let line = Line {
        server: server.clone(),
        cut: Arc::default(),
    };
    let client = Client::with_transport(Arc::new(line));
    let elector = LeaderElector::new(client, "shop", "checkout", "one", Default::default()).unwrap();
    elector.run(CancellationToken::new(), |_| async {}).await.unwrap();
    assert_eq!(server.spec().holder_identity.as_deref(), Some(""));
    let stop = CancellationToken::new();
    stop.cancel();
    server.0.lock().down = true;
    elector.run(stop, |_| async { panic!("never led") }).await.unwrap();
}

#[tokio::test]
async fn times_must_fit_together() {
    let line = Line {
        server: Arc::default(),
        cut: Arc::default(),
    };
    let client = Client::with_transport(Arc::new(line));
    let check = |options| LeaderElector::new(client.clone(), "shop", "checkout", "one", options).map(|_| ());
    let seconds = Duration::from_secs;
    assert!(check(LeaderElectionOptions::default().with_lease_duration(seconds(10))).is_err());
    assert!(check(LeaderElectionOptions::default().with_retry_period(seconds(9))).is_err());
    assert!(check(LeaderElectionOptions::default().with_retry_period(Duration::ZERO)).is_err());
    assert!(check(LeaderElectionOptions::default().with_retry_period(seconds(8))).is_ok());
    assert!(check(LeaderElectionOptions::default().with_renew_deadline(seconds(12))).is_ok());
    let in_seconds = LeaderElectionOptions::default()
        .with_lease_duration(Duration::from_millis(10_900))
        .with_renew_deadline(Duration::from_millis(10_500));
    assert!(check(in_seconds).is_err(), "the lease would say 10 s");
    let nobody = LeaderElector::new(client.clone(), "shop", "checkout", "", Default::default());
    assert!(nobody.unwrap_err().to_string().contains("identity"));
}
