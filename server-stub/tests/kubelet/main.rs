//! Requests that end at a kubelet, a pod or a service: logs, exec, port-forward and proxied pages.

#![allow(clippy::unwrap_used)] // a test program

mod fake;
#[path = "../../../client/tests/streams/much.rs"]
mod much;
#[cfg(feature = "ssh")]
mod ssh;
#[cfg(feature = "ssh")]
mod sshd;
mod streams;

use std::sync::atomic::Ordering;

use fake::Kubelet;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Endpoints, Node, Pod, Service};
use kubewire_client::streams::{LogOptions, ProcessOptions};
use kubewire_client::{Api, Clientset, WriteOptions};
use kubewire_server_stub::generic::request::UserInfo;
use kubewire_server_stub::testing::{Options, Server};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A server with a node, and a pod on it.
struct Cluster {
    kubelet: Kubelet,
    server: Server,
    clientset: Clientset,
    http: reqwest::Client,
}

impl Cluster {
    async fn start() -> Self {
        Self::start_with(Options::default(), "192.0.2.1").await
    }

    async fn start_with(options: Options, external_ip: &str) -> Self {
        let kubelet = Kubelet::start().await;
        let admin = UserInfo {
            name: "admin".to_owned(),
            groups: vec!["system:masters".to_owned()],
            ..UserInfo::default()
        };
        let server = Server::start(options.with_token("secret", admin)).await.unwrap();
        let clientset = Clientset::new(&server.client_config()).unwrap();
        let ca = reqwest::Certificate::from_pem(server.ca_pem().as_bytes()).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .tls_certs_only([ca])
            .redirect(reqwest::redirect::Policy::none());
        let cluster = Self {
            kubelet,
            server,
            clientset,
            http: http.build().unwrap(),
        };
        cluster.add_node_and_pods(external_ip).await;
        cluster
    }

    async fn add_node_and_pods(&self, external_ip: &str) {
        let options = WriteOptions::default();
        let node: Node = from(json!({"metadata": {"name": "node"}}));
        let nodes = self.clientset.core_v1().nodes();
        let mut node = nodes.create(&node, &options).await.unwrap();
        node.status = from(json!({
            "addresses": [{"type": "ExternalIP", "address": external_ip}, {"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.kubelet.port}}
        }));
        nodes.update_status(&node, &options).await.unwrap();
        for (name, node) in [("web", Some("node")), ("broken", Some("node")), ("nowhere", None)] {
            let pod: Pod = from(json!({
                "metadata": {"name": name},
                "spec": {"nodeName": node, "containers": [{"name": "main", "image": "i"}]}
            }));
            let mut pod = self.pods().create(&pod, &options).await.unwrap();
            pod.status = from(json!({"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}));
            self.pods().update_status(&pod, &options).await.unwrap();
        }
    }

    fn pods(&self) -> Api<Pod> {
        self.clientset.core_v1().pods("default")
    }

    /// Status, location and body.
    async fn request(&self, method: Method, path: &str, body: &'static str) -> (u16, String, String) {
        let request = self.http.request(method, format!("{}{path}", self.server.url()));
        Self::send(request.body(body)).await
    }

    /// The same of a request for another protocol.
    async fn upgrade(&self, path: &str) -> (u16, String, String) {
        let ca = reqwest::Certificate::from_pem(self.server.ca_pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).http1_only();
        let request = http.build().unwrap().get(format!("{}{path}", self.server.url()));
        Self::send(request.header("connection", "Upgrade").header("upgrade", "websocket")).await
    }

    async fn send(request: reqwest::RequestBuilder) -> (u16, String, String) {
        let answer = request.bearer_auth("secret").send().await.unwrap();
        let location = answer
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        (
            answer.status().as_u16(),
            location.unwrap_or_default(),
            answer.text().await.unwrap(),
        )
    }

    async fn get(&self, path: &str) -> (u16, String, String) {
        self.request(Method::GET, path, "").await
    }
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn message(body: &str) -> String {
    let status: Value = serde_json::from_str(body).unwrap();
    status["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn logs_come_from_the_kubelet() {
    let cluster = Cluster::start().await;
    let log = cluster.pods().logs("web", &LogOptions::default()).await.unwrap();
    let log: Vec<String> = log.lines().map(Result::unwrap).collect().await;
    assert_eq!(log, ["default/web/main", ""]);
    let path = "/api/v1/namespaces/default/pods/web/log?follow=true&tailLines=5&pretty=true&timestamps=false";
    assert_eq!(cluster.get(path).await.2, "default/web/main\nfollow=true&tailLines=5\n");

    let logs = |pod: &str| format!("/api/v1/namespaces/default/pods/{pod}/log");
    let (code, _, body) = cluster.get(&logs("nowhere")).await;
    assert_eq!((code, body.as_str()), (204, ""));
    let (code, _, body) = cluster.get(&format!("{}?container=x", logs("web"))).await;
    assert_eq!(
        (code, message(&body).as_str()),
        (400, "container x is not valid for pod web")
    );
    let (code, _, body) = cluster.get(&logs("broken")).await;
    assert_eq!(
        (code, message(&body).as_str()),
        (500, "Internal error occurred: no such log")
    );
    let (code, _, body) = cluster.get(&format!("{}?tailLines=-1", logs("web"))).await;
    assert_eq!(code, 422, "{body}");
}

#[tokio::test]
async fn a_kubelet_that_is_gone_is_named() {
    let cluster = Cluster::start().await;
    let Cluster { kubelet, .. } = &cluster;
    let port = kubelet.port;
    let Cluster {
        kubelet,
        server,
        clientset,
        http,
    } = cluster;
    drop(kubelet);
    let log = clientset
        .core_v1()
        .pods("default")
        .logs("web", &LogOptions::default())
        .await
        .unwrap_err();
    let refused = format!("dial tcp 127.0.0.1:{port}: connect: connection refused");
    assert!(log.to_string().contains(&refused), "{log}");
    let exec = clientset
        .core_v1()
        .pods("default")
        .exec("web", &["ls"], &ProcessOptions::default())
        .await
        .unwrap_err();
    assert!(
        exec.to_string().contains(&format!("error dialing backend: {refused}")),
        "{exec}"
    );
    let url = format!("{}/api/v1/nodes/node/proxy/", server.url());
    let answer = http.get(url).bearer_auth("secret").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(
        message(&answer.text().await.unwrap()),
        format!("error trying to reach service: {refused}")
    );
}

#[tokio::test]
async fn streams_reach_into_a_container() {
    let cluster = Cluster::start().await;
    let options = ProcessOptions::default().with_stdin();
    let mut process = cluster.pods().exec("web", &["cat", "a b"], &options).await.unwrap();
    let (mut stdin, mut stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
    stdin.write_all(b" hello").await.unwrap();
    stdin.shutdown().await.unwrap();
    let mut said = String::new();
    stdout.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "command=cat&command=a%20b&error=1&input=1&output=1 hello");
    assert!(process.wait().await.unwrap().is_success());

    let mut ports = cluster.pods().port_forward("web", &[7]).await.unwrap();
    let mut connection = ports.connection(7).unwrap();
    connection.write_all(b"echo").await.unwrap();
    connection.shutdown().await.unwrap();
    let mut said = String::new();
    connection.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "echo");
    ports.wait().await.unwrap();
    cluster.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stream_does_not_outlive_the_server() {
    let cluster = Cluster::start().await;
    let options = ProcessOptions::default().with_stdin();
    let process = cluster.pods().exec("web", &["cat"], &options).await.unwrap();
    cluster.server.shutdown().await.unwrap();
    assert!(process.wait().await.is_err());
}

#[tokio::test]
async fn pages_of_nodes_pods_and_services() {
    let cluster = Cluster::start().await;
    let port = cluster.kubelet.port;
    let options = WriteOptions::default();
    let service: Service = from(json!({
        "metadata": {"name": "shop"}, "spec": {"ports": [{"name": "https", "port": 443}], "clusterIP": "None"}
    }));
    cluster
        .clientset
        .core_v1()
        .services("default")
        .create(&service, &options)
        .await
        .unwrap();
    let pods = "/api/v1/namespaces/default/pods";
    let services = "/api/v1/namespaces/default/services";
    for path in [
        "/api/v1/nodes/node/proxy".to_owned(),
        format!("/api/v1/nodes/https:node:{port}/proxy"),
        format!("{pods}/https:web:{port}/proxy"),
    ] {
        let (code, _, body) = cluster
            .request(Method::POST, &format!("{path}/pages/a%2Fb?c=d"), "body")
            .await;
        let expected = format!("POST /pages/a%2Fb?c=d from {path}/pages/a%2Fb as -: body");
        assert_eq!((code, body), (200, expected));
        let (code, location, _) = cluster.get(&format!("{path}/pages/old")).await;
        assert_eq!((code, location), (302, format!("{path}/pages/new")));
        let (code, _, body) = cluster.get(&format!("{path}/pages/links")).await;
        assert_eq!((code, body), (200, format!("<img src='{path}/i.png'><a href=x>")));
        let (code, _, body) = cluster.upgrade(&format!("{path}/pages/new")).await;
        let expected = "invalid upgrade response: status code 200";
        assert_eq!((code, message(&body).as_str()), (500, expected));
        let (code, location, _) = cluster.get(&format!("{path}?x=y")).await;
        assert_eq!((code, location), (301, format!("{path}/?x=y")));
    }
    let (code, _, body) = cluster.get(&format!("{services}/https:shop:443/proxy/pages/")).await;
    let expected = "no endpoints available for service \"shop\"";
    assert_eq!((code, message(&body).as_str()), (503, expected));
    let endpoints: Endpoints = from(json!({
        "metadata": {"name": "shop"},
        "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"name": "https", "port": port}]}]
    }));
    let endpoints = cluster
        .clientset
        .core_v1()
        .endpoints("default")
        .create(&endpoints, &options)
        .await;
    assert!(endpoints.is_ok(), "{endpoints:?}");
    let (code, _, body) = cluster.get(&format!("{services}/shop:8080/proxy/pages/")).await;
    assert_eq!(
        (code, message(&body).as_str()),
        (503, "no service port 8080 found for service \"shop\"")
    );
}

#[tokio::test]
async fn connections_to_a_kubelet_are_kept() {
    let cluster = Cluster::start().await;
    for _ in 0..50 {
        assert_eq!(cluster.get("/api/v1/nodes/node/proxy/pages").await.0, 200);
    }
    assert_eq!(cluster.kubelet.connections.load(Ordering::SeqCst), 1);
}
