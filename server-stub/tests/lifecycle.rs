//! The binary's start and stop, read from its log: the version first, every signal in its order, and no waiting for
//! who is impatient.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

#[path = "support/free_port.rs"]
mod free_port;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

use reqwest::{Client, StatusCode};

use free_port::free_port;

/// The binary with its log.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    url: String,
}

impl Process {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kubewire-server-stub"))
            .arg(format!("--secure-port={}", free_port()))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = said
            .next()
            .unwrap()
            .unwrap()
            .strip_prefix("Serving on ")
            .unwrap()
            .to_owned();
        Self { child, log, url }
    }

    /// Reads the log up to a line that contains `text` and returns all lines.
    fn read_until(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for line in self.log.by_ref() {
            lines.push(line.unwrap());
            if lines.last().unwrap().contains(text) {
                return lines;
            }
        }
        panic!("no {text:?} in {lines:#?}");
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    async fn status(&self, path: &str) -> StatusCode {
        // The only one that is compiled in; reqwest wants to be told.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
        client.get(format!("{}{path}", self.url)).send().await.unwrap().status()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn starts_and_stops_in_the_order_of_the_original() {
    let mut process = Process::start(&["--shutdown-delay-duration", "50ms"]);
    let mut log = process.read_until("HasBeenReady");
    assert!(log[0].contains("Version: v1."), "{log:#?}");
    assert_eq!(process.status("/readyz").await, 200);
    process.send("-TERM");
    log.extend(process.log.by_ref().map(Result::unwrap));
    let expected = [
        "HasBeenReady",
        "received SIGTERM",
        "ShutdownInitiated",
        "PreShutdownHooksStopped",
        "AfterShutdownDelayDuration",
        "NotAcceptingNewRequest",
        "InFlightRequestsDrained",
        "HTTPServerStoppedListening",
    ];
    let place = |step: &&str| log.iter().position(|line| line.contains(*step));
    let places: Vec<_> = expected.iter().map(place).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{log:#?}");
    assert!(process.child.wait().unwrap().success());
}

#[tokio::test]
async fn is_not_ready_while_it_stops_and_stops_at_once_when_told_twice() {
    let mut process = Process::start(&["--shutdown-delay-duration", "1h"]);
    process.read_until("HasBeenReady");
    process.send("-INT");
    process.read_until("ShutdownInitiated");
    assert_eq!(process.status("/readyz").await, 500);
    assert_eq!(process.status("/livez").await, 200);
    process.send("-TERM");
    process.read_until("received SIGTERM again");
    assert_eq!(process.child.wait().unwrap().code(), Some(1));
}

#[test]
fn an_unknown_flag_is_an_error_that_names_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_kubewire-server-stub"))
        .arg("--nosuch")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_eq!(text, "Error: unknown flag: --nosuch\n");
}

#[tokio::test]
async fn the_stand_in_for_etcd_is_healthy_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let laid_out = Command::new(env!("CARGO_BIN_EXE_kubewire-server-stub"))
        .arg("assets")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(laid_out.status.success(), "{laid_out:?}");
    let help = Command::new(folder.path().join("etcd")).arg("--help").output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("--unsafe-no-fsync"));
    let url = format!("http://127.0.0.1:{}", free_port());
    let mut child = Command::new(folder.path().join("etcd"))
        .arg(format!("--listen-client-urls={url}"))
        .arg("--data-dir=/nonexistent")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    log.find(|line| line.as_ref().unwrap().contains("serving client traffic"))
        .unwrap()
        .unwrap();
    let mut process = Process { child, log, url };
    assert_eq!(process.status("/health").await, 200);
    process.send("-TERM");
    assert!(process.child.wait().unwrap().success());
}
