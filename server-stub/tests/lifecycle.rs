//! The binary's start and stop, read from its log: the version first, every signal in its order, and no waiting for
//! who is impatient.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

#[path = "support/free_port.rs"]
mod free_port;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

use reqwest::{Client, Response, StatusCode};

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

    async fn get(&self, path: &str) -> Response {
        // The only one that is compiled in; reqwest wants to be told.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
        client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    async fn status(&self, path: &str) -> StatusCode {
        self.get(path).await.status()
    }

    async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The hooks as the checks show them: kube-apiserver's order, without those of parts that are not there.
const POST_START_HOOKS: [&str; 26] = [
    "start-apiserver-admission-initializer",
    "start-kube-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer",
    "max-in-flight-filter",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "start-system-namespaces-controller",
    "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
    "storage-readiness",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "bootstrap-controller",
    "start-kubernetes-service-cidr-controller",
    "aggregator-reload-proxy-client-cert",
    "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-registration-controller",
    "apiservice-discovery-controller",
];

const PRE_SHUTDOWN_HOOKS: [&str; 2] = [
    "stop-kube-apiserver-identity-lease-controller",
    "stop-kubernetes-service-controllers",
];

#[tokio::test]
async fn starts_and_stops_in_the_order_of_the_original() {
    let mut process = Process::start(&["-v=4", "--shutdown-delay-duration=50ms", "--controllers=-*"]);
    let mut log = process.read_until("HasBeenReady");
    assert!(log[0].contains("Version: v1."), "{log:#?}");
    let checks = process.text("/readyz?verbose").await;
    process.send("-TERM");
    log.extend(process.log.by_ref().map(Result::unwrap));

    let hooks = |names: &[&str], kind: &str| -> Vec<String> {
        names
            .iter()
            .map(|name| format!("{kind} hook hook={name} ok=true"))
            .collect()
    };
    let step = |text: &str| vec![text.to_owned()];
    let post_start = [&POST_START_HOOKS[..], &["kube-apiserver-autoregistration"]].concat();
    // The parts of a step come in any order, the steps one after the other.
    let steps = [
        step("Version: v1."),
        step("created server=\"apiextensions\""),
        step("created server=\"kube-apiserver\""),
        step("created server=\"aggregator\""),
        step("Serving securely on"),
        hooks(&post_start, "post-start"),
        step("signal=\"HasBeenReady\""),
        step("received SIGTERM"),
        step("signal=\"ShutdownInitiated\""),
        hooks(&PRE_SHUTDOWN_HOOKS, "pre-shutdown"),
        step("signal=\"PreShutdownHooksStopped\""),
        step("signal=\"AfterShutdownDelayDuration\""),
        step("signal=\"NotAcceptingNewRequest\""),
        step("signal=\"InFlightRequestsDrained\""),
        step("Stopped listening on"),
        step("signal=\"HTTPServerStoppedListening\""),
        step("the server has stopped"),
    ];
    let mut after = None;
    for parts in steps {
        let places = parts.iter().map(|part| {
            let place = log.iter().position(|line| line.contains(part.as_str()));
            place.unwrap_or_else(|| panic!("no {part} in {log:#?}"))
        });
        let places: Vec<usize> = places.collect();
        assert!(
            places.iter().min().copied() > after,
            "{parts:?} is too early in {log:#?}"
        );
        after = places.into_iter().max();
    }
    assert_eq!(
        log.iter().filter(|line| line.contains("post-start hook")).count(),
        post_start.len()
    );
    assert!(process.child.wait().unwrap().success());

    let mut expected = vec!["ping".to_owned(), "log".into(), "etcd".into(), "etcd-readiness".into()];
    expected.push("informer-sync".into());
    expected.extend(post_start.iter().map(|hook| format!("poststarthook/{hook}")));
    expected.extend(["autoregister-completion".to_owned(), "shutdown".into()]);
    let mut expected: String = expected.iter().map(|check| format!("[+]{check} ok\n")).collect();
    expected.push_str("readyz check passed\n");
    assert_eq!(checks, expected);
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
