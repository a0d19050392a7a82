//! The same through the SSH server of a node.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use kubewire_client::streams::{LogOptions, ProcessOptions};
use kubewire_server_stub::testing::Options;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::sshd::Sshd;
use super::{Cluster, message};

const PAGE: &str = "/api/v1/nodes/node/proxy/pages";

impl Cluster {
    /// A cluster whose server logs in to nodes with a key of the SSH server's.
    async fn behind(sshd: &Sshd, key: &str) -> Self {
        Self::start_with(options(sshd, key), "127.0.0.1").await
    }

    /// The value of a metric.
    async fn metric(&self, name: &str) -> u64 {
        let (_, _, text) = self.get("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    }

    /// Waits until the page of the kubelet answers so.
    async fn wait_for_page(&self, expected: impl Fn(u16, &str) -> bool) {
        let last = Mutex::new(String::new());
        let asked = until(async || {
            let (code, _, body) = self.get(PAGE).await;
            let is_so = expected(code, &body);
            *last.lock() = body;
            is_so
        });
        assert!(asked.await, "{}", last.lock());
    }
}

fn is_well(code: u16, _: &str) -> bool {
    code == 200
}

fn options(sshd: &Sshd, key: &str) -> Options {
    Options::default()
        .with_flag(format!("--ssh-user={}", sshd.user))
        .with_flag(format!("--ssh-keyfile={}", sshd.file(key).display()))
        .with_flag(format!("--ssh-port={}", sshd.port))
}

/// Asks until it is so.
async fn until(is_so: impl AsyncFn() -> bool) -> bool {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.is_ok()
}

#[tokio::test]
async fn logs_streams_and_pages_go_through_ssh() {
    let Some(sshd) = Sshd::start("").await else { return };
    let cluster = Cluster::behind(&sshd, "user").await;
    cluster.wait_for_page(is_well).await;
    let log = cluster.pods().logs("web", &LogOptions::default()).await.unwrap();
    let log: Vec<String> = log.lines().map(Result::unwrap).collect().await;
    assert_eq!(log, ["default/web/main", ""]);
    // One connection for the kubelet's health, and one for all requests.
    assert!(until(async || cluster.kubelet.connections.load(Ordering::SeqCst) == 2).await);
    for _ in 0..50 {
        assert_eq!(cluster.get(PAGE).await.0, 200);
    }
    assert_eq!(cluster.kubelet.connections.load(Ordering::SeqCst), 2);
    assert_eq!(sshd.connections(), 2);

    let options = ProcessOptions::default().with_stdin();
    let mut process = cluster.pods().exec("web", &["cat"], &options).await.unwrap();
    let (mut stdin, mut stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
    stdin.write_all(b" hello").await.unwrap();
    stdin.shutdown().await.unwrap();
    let mut said = String::new();
    stdout.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "command=cat&error=1&input=1&output=1 hello");
    assert!(process.wait().await.unwrap().is_success());

    assert_eq!(cluster.get("/healthz/SSH%20Tunnel%20Check").await.0, 200);
    let (_, _, metrics) = cluster.get("/metrics").await;
    for name in [
        "apiserver_proxy_tunnel_sync_duration_seconds",
        "apiserver_proxy_tunnel_sync_latency_secs",
    ] {
        assert!(metrics.contains(&format!("\n{name} ")), "{metrics}");
    }
    cluster.server.shutdown().await.unwrap();
    assert!(until(async || sshd.connections() == 0).await);
}

#[tokio::test]
async fn a_tunnel_that_broke_off_is_made_again() {
    let Some(sshd) = Sshd::start("").await else { return };
    let cluster = Cluster::behind(&sshd, "user").await;
    cluster.wait_for_page(is_well).await;
    let options = ProcessOptions::default().with_stdin();
    let process = cluster.pods().exec("web", &["cat"], &options).await.unwrap();
    assert!(until(async || sshd.connections() == 3).await);
    sshd.cut();
    assert!(process.wait().await.is_err());
    cluster.wait_for_page(is_well).await;
    assert!(until(async || sshd.connections() == 2).await);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_nobody_up() {
    let Some(sshd) = Sshd::start("").await else { return };
    let cluster = Cluster::behind(&sshd, "user").await;
    cluster.wait_for_page(is_well).await;
    let options = ProcessOptions::default().with_stdin();
    let mut process = cluster.pods().exec("web", &["cat"], &options).await.unwrap();
    let (mut stdin, _unread) = (process.stdin().unwrap(), process.stdout().unwrap());
    // What the process says back piles up until nothing more can be written.
    let block = vec![0; 1_000_000];
    while let Ok(written) = tokio::time::timeout(Duration::from_secs(1), stdin.write_all(&block)).await {
        written.unwrap();
    }
    assert_eq!(cluster.get(PAGE).await.0, 200);
    let mut other = cluster
        .pods()
        .exec("web", &["ls"], &ProcessOptions::default())
        .await
        .unwrap();
    let mut said = [0; "command=ls&error=1&output=1".len()];
    other.stdout().unwrap().read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"command=ls&error=1&output=1");
}

#[tokio::test]
async fn a_key_that_nodes_do_not_know_is_named() {
    let Some(sshd) = Sshd::start("").await else { return };
    let cluster = Cluster::behind(&sshd, "stranger").await;
    let expected = format!(
        "error trying to reach service: No SSH tunnels currently open. Were the targets able to accept an ssh-key for \
         user {:?}? (ssh: 127.0.0.1: unable to authenticate user {:?} with the key of --ssh-keyfile)",
        sshd.user, sshd.user
    );
    cluster.wait_for_page(|_, body| message(body) == expected).await;
    assert!(until(async || cluster.metric("kubewire_ssh_tunnels{healthy=\"false\"}").await == 1).await);
}

#[tokio::test]
async fn nodes_decide_what_is_reached_through_them() {
    let Some(sshd) = Sshd::start("PermitOpen 127.0.0.1:1\n").await else {
        return;
    };
    let cluster = Cluster::behind(&sshd, "user").await;
    let expected = "error trying to reach service: ssh: rejected: administratively prohibited";
    cluster.wait_for_page(|_, body| message(body) == expected).await;
    let (code, _, body) = cluster.get("/api/v1/nodes/node:1/proxy/").await;
    let expected = "error trying to reach service: ssh: rejected: connect failed";
    assert_eq!((code, message(&body).as_str()), (503, expected));
}

#[tokio::test]
async fn an_unhealthy_kubelet_is_noticed() {
    let Some(sshd) = Sshd::start("").await else { return };
    let mut cluster = Cluster::behind(&sshd, "user").await;
    let healthy = "kubewire_ssh_tunnels{healthy=\"true\"}";
    cluster.wait_for_page(is_well).await;
    assert!(until(async || sshd.connections() == 2 && cluster.metric(healthy).await == 1).await);
    cluster.kubelet = super::Kubelet::start().await;
    sshd.cut();
    assert!(until(async || cluster.metric("kubewire_ssh_tunnels{healthy=\"false\"}").await == 1).await);
    assert_eq!(cluster.metric(healthy).await, 0);
    // The tunnel itself is there.
    assert!(until(async || sshd.connections() == 1).await);
}

#[tokio::test]
async fn only_known_hosts_are_talked_to() {
    let Some(sshd) = Sshd::start("").await else { return };
    let known = |key: &str| {
        let key = std::fs::read_to_string(sshd.file(key)).unwrap();
        let file = sshd.file("known_hosts");
        std::fs::write(&file, format!("[127.0.0.1]:{} {key}", sshd.port)).unwrap();
        options(&sshd, "user").with_flag(format!("--ssh-known-hosts={}", file.display()))
    };
    let cluster = Cluster::start_with(known("host.pub"), "127.0.0.1").await;
    cluster.wait_for_page(is_well).await;
    cluster.server.shutdown().await.unwrap();
    let cluster = Cluster::start_with(known("stranger.pub"), "127.0.0.1").await;
    let expected = "(ssh: 127.0.0.1: The server key changed at line 1)";
    cluster.wait_for_page(|_, body| message(body).ends_with(expected)).await;
}
