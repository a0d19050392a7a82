//! What a start costs: the binary until `/readyz` says 200, its memory then, and a server inside of a program.
//!
//! `cargo bench -p kubewire-server-stub --bench start` prints medians of twelve starts beside the bars. For comparison:
//! kube-apiserver with etcd takes 3.7 s, 3.9 s of CPU, and 255 + 43 MiB.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a measuring program

#[path = "../tests/support/free_port.rs"]
mod free_port;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kubewire_server_stub::testing::{Options, Server};
use reqwest::Client;

const STARTS: usize = 12;
/// How long memory has to settle.
const SETTLE: Duration = Duration::from_millis(300);

#[tokio::main]
async fn main() {
    // The only one that is compiled in; reqwest wants to be told.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (mut ready, mut memory, mut in_process) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (milliseconds, mebibytes) = start_binary().await;
        ready.push(milliseconds);
        memory.push(mebibytes);
        let start = Instant::now();
        let server = Server::start(Options::default()).await.expect("the server starts");
        in_process.push(start.elapsed().as_secs_f64() * 1e3);
        server.shutdown().await.expect("the server stops");
    }
    print("start of the binary until /readyz is 200", median(ready), 100.0, "ms");
    print("resident memory after that", median(memory), 60.0, "MiB");
    print("start inside of a program", median(in_process), 20.0, "ms");
}

/// Milliseconds until the binary is ready, and the MiB that it has then.
async fn start_binary() -> (f64, f64) {
    let client = Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    let port = free_port::free_port();
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubewire-server-stub"))
        .args(["--bind-address=127.0.0.1", &format!("--secure-port={port}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let url = format!("https://127.0.0.1:{port}/readyz");
    while !client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let ready = start.elapsed().as_secs_f64() * 1e3;
    tokio::time::sleep(SETTLE).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    child.kill().expect("the binary ends");
    child.wait().expect("the binary ends");
    (ready, kibibytes.unwrap_or(f64::NAN) / 1024.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}

fn print(what: &str, value: f64, bar: f64, unit: &str) {
    let verdict = if value < bar { "ok" } else { "ABOVE" };
    println!("{what:<42} {value:>8.1} {unit:<4} bar {bar:>5.0} {unit:<4} {verdict}");
}
