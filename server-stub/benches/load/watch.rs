//! Changes of some pods, told to many watchers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kubewire_client::wire::{EncodedEvent, ObjectHeader};
use kubewire_client::{Api, Client, ListOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::peer::{self, Figure};
use crate::pods;
use crate::report::{line, quantile};
use crate::server::Server;

/// How long the last events may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many watchers share how many connections, and what is changed.
struct Plan {
    watchers: usize,
    connections: usize,
    changes: usize,
    pause: Duration,
}

struct Outcome {
    /// Of those events that are looked at, in milliseconds.
    delays: Vec<f64>,
    /// Microseconds of the server for each event.
    cpu: f64,
    lost: usize,
    /// Bytes of the server for each watcher, before anything happened.
    idle: f64,
}

pub(crate) async fn measure(server: &Server) {
    let figures = [
        (
            100,
            500,
            10,
            [&peer::FAN_100_CPU, &peer::FAN_100_P50, &peer::FAN_100_P99],
        ),
        (
            1_000,
            100,
            60,
            [&peer::FAN_1000_CPU, &peer::FAN_1000_P50, &peer::FAN_1000_P99],
        ),
    ];
    for (watchers, changes, pause, [cpu, p50, p99]) in figures {
        let plan = Plan {
            watchers,
            connections: watchers / 10,
            changes,
            pause: Duration::from_millis(pause),
        };
        let mut outcome = run(server, &plan).await;
        lines(&mut outcome, cpu, &[(p50, 0.5), (p99, 0.99)]);
        assert_eq!(outcome.lost, 0, "events are lost");
    }
}

/// 10,000 watchers on one resource, and what idle ones cost.
pub(crate) async fn measure_many(server: &Server, watchers: usize, changes: usize) {
    let own = Plan {
        watchers: 1_000.min(watchers),
        connections: 1_000.min(watchers),
        changes: 0,
        pause: Duration::ZERO,
    };
    line(&peer::IDLE_OWN, run(server, &own).await.idle / 1024.0);
    let many = Plan {
        watchers,
        connections: watchers.div_ceil(100),
        changes,
        pause: Duration::from_millis(200),
    };
    let mut outcome = run(server, &many).await;
    line(&peer::MANY_LOST, outcome.lost as f64);
    lines(&mut outcome, &peer::MANY_CPU, &[(&peer::MANY_P99, 0.99)]);
}

fn lines(outcome: &mut Outcome, cpu: &Figure, delays: &[(&Figure, f64)]) {
    line(cpu, outcome.cpu);
    for (figure, part) in delays {
        line(figure, quantile(&mut outcome.delays, *part));
    }
}

async fn run(server: &Server, plan: &Plan) -> Outcome {
    let writer = server.client();
    let start = Instant::now();
    let seen = Arc::new(AtomicUsize::new(0));
    let memory = server.memory();
    let clients: Vec<Client> = (0..plan.connections).map(|_| server.client()).collect();
    let (delays, mut all_delays) = mpsc::unbounded_channel();
    let mut watchers = JoinSet::new();
    for number in 0..plan.watchers {
        let client = clients[number % clients.len()].clone();
        let api = Api::<Pod>::namespaced(client, "default");
        let options = ListOptions::default().with_resource_version(newest(&writer).await);
        let events = api.watch_encoded(&options).await.expect("a watch");
        let looks = number % 10 == 0;
        watchers.spawn(watch(events, start, seen.clone(), looks.then(|| delays.clone())));
    }
    drop(delays);
    let idle = (server.memory() - memory) / plan.watchers as f64;
    let cpu = server.cpu();
    for number in 0..plan.changes {
        let next = Instant::now() + plan.pause;
        let name = format!("one-0-{}", number % 50);
        let stamp = pods::stamp(&name, start.elapsed().as_nanos());
        let answer = writer.send(stamp).await.expect("the pod is changed");
        answer.bytes().await.expect("the answer is whole");
        tokio::time::sleep_until(next.into()).await;
    }
    let wanted = plan.changes * plan.watchers;
    let deadline = Instant::now() + PATIENCE;
    while seen.load(Ordering::Relaxed) < wanted && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cpu = (server.cpu() - cpu) * 1e6 / wanted.max(1) as f64;
    watchers.shutdown().await;
    let mut delays = Vec::new();
    while let Ok(delay) = all_delays.try_recv() {
        delays.push(delay);
    }
    Outcome {
        delays,
        cpu,
        lost: wanted.saturating_sub(seen.load(Ordering::Relaxed)),
        idle,
    }
}

/// The version from which on changes are watched.
async fn newest(client: &Client) -> kubewire_client::ResourceVersion {
    let api = Api::<Pod>::namespaced(client.clone(), "default");
    let list = api
        .list_encoded(&ListOptions::default().with_limit(1))
        .await
        .expect("a list");
    list.resource_version
}

async fn watch(
    mut events: kubewire_client::api::EncodedWatch,
    start: Instant,
    seen: Arc<AtomicUsize>,
    delays: Option<mpsc::UnboundedSender<f64>>,
) {
    while let Some(Ok(event)) = events.next().await {
        let EncodedEvent::Modified(object) = event else {
            continue;
        };
        if let Some(delays) = &delays {
            let header = ObjectHeader::parse(&object).expect("an object");
            let stamp = header.annotation("stamp").and_then(|stamp| stamp.parse::<u128>().ok());
            let delay = start.elapsed().as_nanos() - stamp.expect("a stamp");
            // Nobody reads on when the run is over.
            let _ = delays.send(delay as f64 / 1e6);
        }
        seen.fetch_add(1, Ordering::Relaxed);
    }
}
