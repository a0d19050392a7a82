//! Many requests through a server that refuses, breaks off and gives up: reads all succeed, and nothing that may have
//! been executed is sent twice.

#![allow(clippy::unwrap_used)] // a test program

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::backoff::ExponentialOptions;
use kubewire_client::wire::Encoding;
use kubewire_client::{Api, Client, Config, WriteOptions};
use parking_lot::Mutex;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const REQUESTS: usize = 1000;
const AT_ONCE: usize = 64;

/// What the server saw.
#[derive(Default)]
struct Seen {
    /// How often each object was created, or may have been.
    executed: HashMap<Bytes, usize>,
    refusals: usize,
    resets: usize,
    failures: usize,
}

struct Server {
    seen: Mutex<Seen>,
    chance: Mutex<TestRng>,
}

enum Answer {
    Response(StatusCode, Option<&'static str>),
    Reset,
}

impl Server {
    /// 10 % refusals, 5 % broken connections, 5 % failures.
    fn answer(&self, body: &Bytes) -> Answer {
        let percent = self.chance.lock().next_u32() % 100;
        let mut seen = self.seen.lock();
        if percent < 10 {
            seen.refusals += 1;
            return Answer::Response(StatusCode::TOO_MANY_REQUESTS, Some("0"));
        }
        if !body.is_empty() {
            *seen.executed.entry(body.clone()).or_default() += 1;
        }
        match percent {
            10..15 => {
                seen.resets += 1;
                Answer::Reset
            }
            15..20 => {
                seen.failures += 1;
                Answer::Response(StatusCode::SERVICE_UNAVAILABLE, None)
            }
            _ => Answer::Response(StatusCode::OK, None),
        }
    }

    /// An error closes the connection without an answer.
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let Answer::Response(code, retry_after) = self.answer(&body) else {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        };
        assert_eq!(head.method == Method::POST, !body.is_empty());
        let body: &[u8] = if code == StatusCode::OK {
            br#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}"#
        } else {
            br#"{"kind":"Status","apiVersion":"v1","status":"Failure"}"#
        };
        let response = Response::builder()
            .status(code)
            .header("content-type", "application/json");
        let response = match retry_after {
            Some(seconds) => response.header("retry-after", seconds),
            None => response,
        };
        Ok(response.body(Full::new(Bytes::copy_from_slice(body))).unwrap())
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let server = self.clone();
            connections.spawn(async move {
                let handle = service_fn(|request| server.handle(request));
                let connection = hyper::server::conn::http1::Builder::new();
                // Connections end with errors here on purpose.
                connection.serve_connection(TokioIo::new(stream), handle).await.ok();
            });
        }
    }
}

#[tokio::test]
async fn reads_succeed_and_no_write_is_done_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Arc::new(Server {
        seen: Mutex::default(),
        chance: Mutex::new(TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    });
    let serving = tokio::spawn(server.clone().serve(listener));

    // Hardly any pauses: how long they are is tested where the clock stands still.
    let retries = ExponentialOptions::default()
        .with_initial(Duration::from_micros(1))
        .with_max(Duration::from_micros(1))
        .with_max_tries(Some(10));
    let config = Config::new(url).with_encoding(Encoding::Json).with_retries(retries);
    let api: Api<ConfigMap> = Api::namespaced(Client::new(&config).unwrap(), "default");
    let requests = (0..REQUESTS).map(|index| {
        let api = api.clone();
        async move {
            let name = format!("cm-{index}");
            // Every fourth is a write.
            if index % 4 > 0 {
                api.get(&name).await.unwrap();
                return false;
            }
            let mut object = ConfigMap::default();
            object.metadata.name = Some(name);
            api.create(&object, &WriteOptions::default()).await.is_err()
        }
    });
    let failed: usize = stream::iter(requests)
        .buffer_unordered(AT_ONCE)
        .map(usize::from)
        .collect::<Vec<_>>()
        .await
        .iter()
        .sum();
    serving.abort();

    let seen = server.seen.lock();
    println!(
        "{failed} writes failed; {} refusals, {} resets, {} failures",
        seen.refusals, seen.resets, seen.failures
    );
    assert!(seen.refusals > 50 && seen.resets > 20 && seen.failures > 20);
    assert!(
        seen.executed.values().all(|times| *times == 1),
        "a write was sent twice"
    );
    // Refusals are not failures: what is left are the writes that broke off or failed.
    assert_eq!(seen.executed.len(), REQUESTS.div_ceil(4));
    assert!(failed > 0 && failed < seen.executed.len() / 4, "{failed}");
}
