//! What kube-apiserver answers to deletions, to requests for subresources, and about namespaces: code, reason, message.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

use bytes::Bytes;
use http::Request;
use kubewire_server_stub::generic::InProcess;
use kubewire_server_stub::testing::{Options, Server};
use serde_json::{Value, json};
use tower_service::Service;

mod deletions;
mod namespaces;
mod subresources;

const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PODS: &str = "/api/v1/namespaces/default/pods";
const NAMESPACES: &str = "/api/v1/namespaces";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

struct Caller {
    service: InProcess,
    _server: Server,
}

impl Caller {
    async fn start() -> Self {
        let server = Server::start(Options::default()).await.unwrap();
        Self {
            service: server.in_process(),
            _server: server,
        }
    }

    async fn ask(&mut self, request: http::request::Builder, body: String) -> (u16, Value, http::HeaderMap) {
        let answer = self
            .service
            .call(request.body(Bytes::from(body)).unwrap())
            .await
            .unwrap();
        let (head, body) = answer.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        (head.status.as_u16(), body, head.headers)
    }

    async fn send(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let content_type = match method {
            "PATCH" if path.contains("fieldManager=") => APPLY,
            "PATCH" => MERGE,
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", content_type);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (code, answer, _) = self.ask(request, body).await;
        (code, answer)
    }

    /// Sends what must succeed.
    async fn ok(&mut self, method: &str, path: &str, body: Value) -> Value {
        let (code, answer) = self.send(method, path, body).await;
        assert!((200..300).contains(&code), "{method} {path}: {answer}");
        answer
    }

    /// Sends what must be refused with this code and message.
    async fn refused(&mut self, method: &str, path: &str, body: Value, code: u16, message: &str) {
        let (got, answer) = self.send(method, path, body).await;
        let said = answer["message"].as_str().unwrap_or_default();
        assert_eq!((got, said), (code, message), "{method} {path}");
    }

    async fn make(&mut self, path: &str, kind: &str, name: &str, rest: Value) -> Value {
        let mut object = rest;
        object["kind"] = kind.into();
        object["apiVersion"] = version_of(path).into();
        object["metadata"]["name"] = name.into();
        self.ok("POST", path, object).await
    }
}

/// The group and version in a path.
fn version_of(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[1] {
        "api" => parts[2].to_owned(),
        _ => format!("{}/{}", parts[2], parts[3]),
    }
}

fn pod() -> Value {
    json!({ "spec": { "containers": [{ "name": "a", "image": "i" }] } })
}
