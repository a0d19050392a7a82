//! Garbage in, the `Status` that kube-apiserver gives out, and the server stays up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use kubewire_server_stub::testing::Server;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

struct Caller {
    server: Server,
    client: Client,
}

impl Caller {
    async fn start() -> Self {
        // The only one that is compiled in; reqwest wants to be told.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = support::start().await;
        let ca = reqwest::Certificate::from_pem(server.ca_pem().as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([ca]);
        let client = client.build().unwrap();
        Self { server, client }
    }

    /// Sends a body and returns the code and the `Status` of the answer.
    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> (StatusCode, Value) {
        let request = self.client.request(method, format!("{}{path}", self.server.url()));
        let request = request
            .bearer_auth(support::TOKEN)
            .header(CONTENT_TYPE, content_type)
            .body(body);
        let response = request.header(ACCEPT, "application/json").send().await.unwrap();
        let code = response.status();
        (code, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    async fn post(&self, content_type: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        self.send(Method::POST, CONFIG_MAPS, content_type, body).await
    }

    /// The server still does its work, and nothing that was refused was stored.
    async fn assert_well(self, stored: &[&str]) {
        let (code, list) = self.send(Method::GET, CONFIG_MAPS, "application/json", "").await;
        assert_eq!(code, 200);
        let names: Vec<&str> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| item["metadata"]["name"].as_str())
            .collect();
        assert_eq!(names, stored);
        self.server.shutdown().await.unwrap();
    }
}

fn assert_status((code, status): &(StatusCode, Value), wanted: u16, reason: &str, message: &str) {
    assert_eq!(code.as_u16(), wanted, "{status}");
    assert_eq!(status["kind"], "Status", "{status}");
    assert_eq!(status["apiVersion"], "v1", "{status}");
    assert_eq!(status["status"], "Failure", "{status}");
    assert_eq!(status["code"], wanted, "{status}");
    assert_eq!(status["reason"], reason, "{status}");
    let text = status["message"].as_str().unwrap();
    assert!(text.contains(message), "{text:?} does not say {message:?}");
}

#[tokio::test]
async fn malformed_json() {
    let caller = Caller::start().await;
    for (body, message) in [
        ("", "unexpected end of JSON input (<empty>)"),
        (
            "hello",
            "invalid character 'h' looking for beginning of value (68656c6c6f)",
        ),
        (
            r#"{"kind":"ConfigMap","metadata":{"name":"x""#,
            "unexpected end of JSON input",
        ),
        ("[]", "cannot unmarshal array"),
    ] {
        let answer = caller.post("application/json", body).await;
        assert_status(&answer, 400, "BadRequest", message);
        assert_status(
            &answer,
            400,
            "BadRequest",
            "the object provided is unrecognized (must be of type ConfigMap)",
        );
    }
    let wrong_type = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":1}}"#;
    let message = "json: cannot unmarshal number into Go struct field ConfigMap.data of type string";
    assert_status(
        &caller.post("application/json", wrong_type).await,
        400,
        "BadRequest",
        message,
    );
    let deep = format!(r#"{{"kind":"ConfigMap","data":{}"#, "[".repeat(100_000));
    assert_eq!(caller.post("application/json", deep).await.0, 400);
    caller.assert_well(&[]).await;
}

#[tokio::test]
async fn truncated_protobuf() {
    let caller = Caller::start().await;
    let whole =
        b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x0d\x0a\x03\x0a\x01p\x12\x06\x0a\x01a\x12\x01b\x1a\0\x22\0";
    for length in 0..whole.len() - 4 {
        let (code, status) = caller.post(PROTOBUF, whole[..length].to_vec()).await;
        // Where the cut leaves whole fields, what is there may be an object without a name.
        assert!(code == 400 || code == 422, "cut at {length}: {status}");
        assert_eq!(status["kind"], "Status");
    }
    assert_status(
        &caller.post(PROTOBUF, whole[..20].to_vec()).await,
        400,
        "BadRequest",
        "unexpected EOF",
    );
    let garbage = caller.post(PROTOBUF, "k8s\0\u{1}\u{2}\u{3}").await;
    assert_status(&garbage, 400, "BadRequest", "the object provided is unrecognized");
    let json = caller.post(PROTOBUF, "{}").await;
    assert_status(
        &json,
        400,
        "BadRequest",
        "does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    );
    let (code, created) = caller.post(PROTOBUF, whole.to_vec()).await;
    assert_eq!((code.as_u16(), created["data"].clone()), (201, json!({ "a": "b" })));
    caller.assert_well(&["p"]).await;
}

#[tokio::test]
async fn wrong_content_type() {
    let caller = Caller::start().await;
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}"#;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/cbor",
        "///",
    ] {
        let answer = caller.post(content_type, body).await;
        let message = "the body of the request was in an unknown format - accepted media types include: \
            application/json, application/yaml, application/vnd.kubernetes.protobuf";
        assert_status(&answer, 415, "UnsupportedMediaType", message);
    }
    let patch = caller
        .send(Method::PATCH, &format!("{CONFIG_MAPS}/x"), "application/json", "{}")
        .await;
    assert_status(&patch, 415, "UnsupportedMediaType", "415: Unsupported Media Type");
    caller.assert_well(&[]).await;
}

#[tokio::test]
async fn unknown_kind() {
    let caller = Caller::start().await;
    for (body, message) in [
        (
            r#"{"apiVersion":"v1","kind":"Nosuch"}"#,
            r#"no kind "Nosuch" is registered for version "v1""#,
        ),
        (
            r#"{"apiVersion":"v9","kind":"ConfigMap"}"#,
            r#"no kind "ConfigMap" is registered for version "v9""#,
        ),
        (
            r#"{"apiVersion":"v1","kind":"Secret"}"#,
            "converting (v1.Secret) to (core.ConfigMap): unknown conversion",
        ),
    ] {
        assert_status(&caller.post("application/json", body).await, 400, "BadRequest", message);
    }
    for path in [
        "/api/v1/namespaces/default/nosuch",
        "/apis/nosuch.example.com/v1/things",
        "/apis/apps/v9/deployments",
        "/nosuch",
    ] {
        let answer = caller.send(Method::GET, path, "application/json", "").await;
        assert_status(
            &answer,
            404,
            "NotFound",
            "the server could not find the requested resource",
        );
    }
    caller.assert_well(&[]).await;
}

#[tokio::test]
async fn a_body_of_five_mebibytes() {
    let caller = Caller::start().await;
    let big = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "big" },
        "data": { "blob": "x".repeat(5 * 1024 * 1024) },
    });
    let answer = caller.post("application/json", big.to_string()).await;
    assert_status(
        &answer,
        413,
        "RequestEntityTooLarge",
        "Request entity too large: limit is 3145728",
    );
    caller.assert_well(&[]).await;
}

#[tokio::test]
async fn bad_credentials_and_methods() {
    let caller = Caller::start().await;
    let url = format!("{}{CONFIG_MAPS}", caller.server.url());
    let response = caller
        .client
        .get(&url)
        .bearer_auth("not-the-token")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    let status: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(
        (&status["reason"], &status["message"]),
        (&json!("Unauthorized"), &json!("Unauthorized"))
    );
    let anonymous = caller.client.get(&url).send().await.unwrap();
    assert_eq!(anonymous.status(), 403);
    let answer = caller.send(Method::PUT, CONFIG_MAPS, "application/json", "{}").await;
    assert_status(
        &answer,
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    );
    caller.assert_well(&[]).await;
}
