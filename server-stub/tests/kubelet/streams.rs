//! Streams of this project's client through the server to a kubelet: attached ones, much data, and early ends.

use std::sync::atomic::Ordering;

use kubewire_client::streams::ProcessOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Cluster;
use super::much::{read_all, write_much};

#[tokio::test]
async fn attached_to_a_container() {
    let cluster = Cluster::start().await;
    let options = ProcessOptions::default().with_stdin().with_container("main");
    let mut process = cluster.pods().attach("web", &options).await.unwrap();
    let (mut stdin, mut stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
    stdin.write_all(b" hello").await.unwrap();
    stdin.shutdown().await.unwrap();
    let mut said = String::new();
    stdout.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "error=1&input=1&output=1 hello");
    assert!(process.wait().await.unwrap().is_success());
    let error = cluster.pods().attach("nowhere", &options).await.unwrap_err();
    assert_eq!(error.code(), Some(400), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn much_data_through_a_process() {
    let cluster = Cluster::start().await;
    let options = ProcessOptions::default().with_stdin();
    let mut process = cluster.pods().exec("web", &["cat"], &options).await.unwrap();
    let (stdin, mut stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
    let mut parameters = vec![0; "command=cat&error=1&input=1&output=1".len()];
    stdout.read_exact(&mut parameters).await.unwrap();
    let (sent, received) = tokio::join!(write_much(stdin), read_all(stdout));
    assert_eq!(received, sent);
    assert!(process.wait().await.unwrap().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn much_data_through_a_port() {
    let cluster = Cluster::start().await;
    let mut ports = cluster.pods().port_forward("web", &[7]).await.unwrap();
    let (reader, writer) = tokio::io::split(ports.connection(7).unwrap());
    let (sent, received) = tokio::join!(write_much(writer), read_all(reader));
    assert_eq!(received, sent);
    ports.wait().await.unwrap();
}

#[tokio::test]
async fn a_dropped_stream_ends_at_the_kubelet() {
    let cluster = Cluster::start().await;
    let open = async |wanted: usize| {
        while cluster.kubelet.streams.load(Ordering::SeqCst) != wanted {
            tokio::task::yield_now().await;
        }
    };
    let options = ProcessOptions::default().with_stdin();
    let process = cluster.pods().exec("web", &["cat"], &options).await.unwrap();
    open(1).await;
    drop(process);
    open(0).await;
    let ports = cluster.pods().port_forward("web", &[7]).await.unwrap();
    open(1).await;
    drop(ports);
    open(0).await;
}
