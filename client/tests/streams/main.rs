//! `exec`, `attach` and port-forward against a server that speaks like a kubelet.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

mod copy;
mod kubelet;
mod much;

use std::sync::atomic::Ordering;

use k8s_openapi::api::core::v1::Pod;
use kubelet::Kubelet;
use kubewire_client::streams::{ProcessOptions, TerminalSize};
use kubewire_client::{Api, Client};
use much::{read_all, write_much};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";

async fn pods(protocol: &'static str) -> (Kubelet, Api<Pod>) {
    let kubelet = Kubelet::start(protocol).await;
    let client = Client::new(&kubelet.config()).unwrap();
    (kubelet, Api::namespaced(client, "shop"))
}

async fn text(mut reader: impl AsyncRead + Unpin) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn output_errors_and_exit_codes() {
    for protocol in [V5, V4] {
        let (_kubelet, pods) = pods(protocol).await;
        let mut process = pods
            .exec("web", &["say", "a & b"], &ProcessOptions::default())
            .await
            .unwrap();
        let (stdout, stderr) = (process.stdout().unwrap(), process.stderr().unwrap());
        assert!(process.stdout().is_none() && process.stdin().is_none());
        let (stdout, stderr, exit) = tokio::join!(text(stdout), text(stderr), process.wait());
        assert_eq!((stdout.as_str(), stderr.as_str()), ("a & b", "A & B"), "{protocol}");
        assert!(exit.unwrap().is_success());

        let process = pods
            .exec("web", &["exit", "7"], &ProcessOptions::default())
            .await
            .unwrap();
        let exit = process.wait().await.unwrap();
        assert_eq!(exit.code, Some(7), "{protocol}");
        assert_eq!(exit.status.reason.as_deref(), Some("NonZeroExitCode"));
    }
}

#[tokio::test]
async fn output_that_nobody_reads_is_thrown_away() {
    let (_kubelet, pods) = pods(V5).await;
    let long = "x".repeat(1 << 20);
    let process = pods
        .exec("web", &["say", &long[..60_000]], &ProcessOptions::default())
        .await
        .unwrap();
    assert!(process.wait().await.unwrap().is_success());
}

#[tokio::test]
async fn a_terminal_has_a_size_and_one_output() {
    let (_kubelet, pods) = pods(V5).await;
    let options = ProcessOptions::default().with_tty().with_container("web");
    let mut process = pods.exec("web", &["size"], &options).await.unwrap();
    assert!(process.stderr().is_none());
    process.resize(TerminalSize { width: 80, height: 24 }).await;
    let stdout = process.stdout().unwrap();
    assert_eq!(text(stdout).await, r#"{"Width":80,"Height":24}"#);
    assert!(process.wait().await.unwrap().is_success());
}

#[tokio::test]
async fn refusals_are_typed_and_an_early_end_is_an_error() {
    let (kubelet, pods) = pods(V5).await;
    let error = pods
        .exec("gone", &["cat"], &ProcessOptions::default())
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let process = pods.attach("web", &ProcessOptions::default()).await.unwrap();
    let error = process.wait().await.unwrap_err();
    assert!(error.is_transport(), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(r#"get pods/attach "web" in namespace "shop""#),
        "{error}"
    );
    assert_eq!(kubelet.open.load(Ordering::SeqCst), 0);
    let other = Kubelet::start("v3.channel.k8s.io").await;
    let pods: Api<Pod> = Api::namespaced(Client::new(&other.config()).unwrap(), "shop");
    let error = pods
        .exec("web", &["cat"], &ProcessOptions::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("v3.channel.k8s.io"), "{error}");
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Tasks of the server's side are among those that must end: they do when the connection is closed.
#[tokio::test]
async fn dropping_a_stream_closes_its_connection_and_leaves_no_task() {
    let (kubelet, pods) = pods(V5).await;
    let before = tasks();
    let until = async |condition: &dyn Fn() -> bool| {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    let open = || kubelet.open.load(Ordering::SeqCst);

    let options = ProcessOptions::default().with_stdin();
    let mut process = pods.exec("web", &["sleep"], &options).await.unwrap();
    let stdin = process.stdin();
    until(&|| open() == 1).await;
    drop(process);
    until(&|| open() == 0 && tasks() == before).await;
    assert!(stdin.unwrap().write_all(b"x").await.is_err());

    let process = pods.attach("stuck", &options).await.unwrap();
    until(&|| open() == 1).await;
    tokio::select! {
        exit = process.wait() => panic!("{exit:?}"),
        () = tokio::task::yield_now() => {}
    }
    until(&|| open() == 0 && tasks() == before).await;

    let ports = pods.port_forward("web", &[7, 7]).await.unwrap();
    until(&|| open() == 1).await;
    drop(ports);
    until(&|| open() == 0 && tasks() == before).await;

    // The server never answers.
    let is_asked = || kubelet.waiting.load(Ordering::SeqCst) == 1;
    tokio::select! {
        process = pods.exec("never", &["sleep"], &options) => panic!("{process:?}"),
        () = until(&is_asked) => {}
    }
    until(&|| tasks() == before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn much_data_through_a_process() {
    let (_kubelet, pods) = pods(V5).await;
    let mut process = pods
        .exec("web", &["cat"], &ProcessOptions::default().with_stdin())
        .await
        .unwrap();
    let (stdin, stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
    let (sent, received) = tokio::join!(write_much(stdin), read_all(stdout));
    assert_eq!(received, sent);
    assert!(process.wait().await.unwrap().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn much_data_through_a_port() {
    let (_kubelet, pods) = pods(V5).await;
    let mut ports = pods.port_forward("web", &[7, 7]).await.unwrap();
    let (reader, writer) = tokio::io::split(ports.connection(7).unwrap());
    let mut other = ports.connection(7).unwrap();
    assert!(ports.connection(7).is_none());
    let (sent, received) = tokio::join!(write_much(writer), read_all(reader));
    assert_eq!(received, sent);
    // The other connection is one of its own, and its directions end one by one.
    other.write_all(b"hello").await.unwrap();
    other.shutdown().await.unwrap();
    assert_eq!(text(&mut other).await, "hello");
    ports.wait().await.unwrap();
}

#[tokio::test]
async fn a_port_where_nobody_listens_says_so() {
    let (_kubelet, pods) = pods(V4).await;
    let mut ports = pods.port_forward("web", &[80]).await.unwrap();
    assert_eq!(text(ports.connection(80).unwrap()).await, "");
    let error = ports.wait().await.unwrap_err();
    assert!(error.to_string().ends_with("port 80: connection refused"), "{error}");
    assert!(pods.port_forward("web", &[]).await.is_err());
}
