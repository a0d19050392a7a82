//! Creations, by one client and by 32, each with a connection of its own.

use std::time::Instant;

use kubewire_client::rest::Request;
use kubewire_client::{Api, Client, WriteOptions};

use crate::peer;
use crate::pods;
use crate::report::{line, quantile};
use crate::server::Server;

/// How many clients there are at most.
const CLIENTS: usize = 32;

/// What became of a number of creations.
struct Outcome {
    /// Each in milliseconds.
    times: Vec<f64>,
    /// Milliseconds of the server for each.
    cpu: f64,
    per_second: f64,
}

/// Measures creations. Leaves `total` pods.
pub(crate) async fn measure(server: &Server, total: usize) {
    let alone = total / 20;
    let protobuf = total / 5;
    let mut one = creations(server, "one", 1, alone, false).await;
    line(&peer::CREATE_1_P50, quantile(&mut one.times, 0.5));
    line(&peer::CREATE_1_CPU, one.cpu);
    let mut many = creations(server, "json", CLIENTS, total - alone - protobuf, false).await;
    line(&peer::CREATE_32_RATE, many.per_second);
    line(&peer::CREATE_32_CPU, many.cpu);
    line(&peer::CREATE_32_P50, quantile(&mut many.times, 0.5));
    line(&peer::CREATE_32_P99, quantile(&mut many.times, 0.99));
    let many = creations(server, "protobuf", CLIENTS, protobuf, true).await;
    line(&peer::CREATE_PB_RATE, many.per_second);
    line(&peer::CREATE_PB_CPU, many.cpu);
}

/// Creates some pods that are gone again, by as many clients as will work later: what the server needs for itself is
/// not what pods take.
pub(crate) async fn warm_up(server: &Server) {
    pods::prepare(&server.client()).await;
    let clients = (0..CLIENTS).map(|number| tokio::spawn(come_and_go(server.client(), number)));
    for done in futures::future::join_all(clients).await {
        done.expect("warming up does not panic");
    }
}

async fn come_and_go(client: Client, who: usize) {
    for number in 0..30 {
        let name = format!("warm-up-{who}-{number}");
        send(&client, pods::create_json(&name)).await;
        let path = format!("{}/{name}?gracePeriodSeconds=0", pods::PATH);
        send(
            &client,
            Request::new(kubewire_client::rest::Verb::Delete, path, "a pod"),
        )
        .await;
    }
}

async fn creations(server: &Server, name: &str, clients: usize, total: usize, protobuf: bool) -> Outcome {
    let (cpu, start) = (server.cpu(), Instant::now());
    let work = (0..clients).map(|number| {
        let (client, prefix) = (server.client(), format!("{name}-{number}"));
        tokio::spawn(create(client, prefix, total / clients, protobuf))
    });
    let mut times = Vec::with_capacity(total);
    for done in futures::future::join_all(work).await {
        times.extend(done.expect("creations do not panic"));
    }
    let count = times.len() as f64;
    Outcome {
        cpu: (server.cpu() - cpu) * 1000.0 / count,
        per_second: count / start.elapsed().as_secs_f64(),
        times,
    }
}

async fn create(client: Client, prefix: String, count: usize, protobuf: bool) -> Vec<f64> {
    let api = Api::namespaced(client.clone(), "default");
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let name = format!("{prefix}-{number}");
        let start = match protobuf {
            true => {
                let pod = pods::typed(&name);
                let start = Instant::now();
                api.create(&pod, &WriteOptions::default())
                    .await
                    .expect("the pod is created");
                start
            }
            false => {
                let request = pods::create_json(&name);
                let start = Instant::now();
                send(&client, request).await;
                start
            }
        };
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times
}

async fn send(client: &Client, request: Request) {
    let answer = client.send(request).await.expect("the request goes through");
    answer.bytes().await.expect("the answer is whole");
}
