//! A server, and requests of any user.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use kubewire_server_stub::generic::clock::Clock;
use kubewire_server_stub::generic::request::UserInfo;
use kubewire_server_stub::testing::{Options, Server};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method};
use serde_json::{Value, json};

pub(crate) const ADMIN: &str = "administrator";
pub(crate) const ALICE: &str = "alices-token";

pub(crate) struct Caller {
    server: Server,
    client: Client,
    seconds: Arc<AtomicI64>,
}

/// An answer: its code, its body as JSON (null for another one), its headers.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

impl Caller {
    /// A server that knows an administrator and alice, who may do nothing.
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// The same with an admission plugin that is off by default.
    pub(crate) async fn start_with_plugin(name: &str) -> Self {
        Self::start_with(Options::default().with_flag(format!("--enable-admission-plugins={name}"))).await
    }

    async fn start_with(options: Options) -> Self {
        // The only one that is compiled in; reqwest wants to be told.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let user = |name: &str, group: &str| UserInfo {
            name: name.to_owned(),
            groups: vec![group.to_owned()],
            ..UserInfo::default()
        };
        let seconds = Arc::new(AtomicI64::new(Timestamp::now().as_second()));
        let clock = seconds.clone();
        let clock = Clock::from_fn(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap());
        let options = options
            .with_clock(clock)
            .with_token(ADMIN, user("admin", "system:masters"))
            .with_token(ALICE, user("alice", "developers"));
        let server = Server::start(options).await.unwrap();
        let ca = reqwest::Certificate::from_pem(server.ca_pem().as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([ca]).build().unwrap();
        Self {
            server,
            client,
            seconds,
        }
    }

    /// Lets time pass for the server.
    pub(crate) fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Sends a request with a bearer token. Bodies of patches are merge patches.
    pub(crate) async fn send(&self, token: &str, method: Method, path: &str, body: &Value) -> Answer {
        self.send_with(token, method, path, body, &[]).await
    }

    /// The same with more headers.
    pub(crate) async fn send_with(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let content_type = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = self.client.request(method, format!("{}{path}", self.server.url()));
        let mut request = request.bearer_auth(token).header(ACCEPT, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Value::Null => request,
            body => request.header(CONTENT_TYPE, content_type).body(body.to_string()),
        };
        let response = request.send().await.unwrap();
        let (code, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Answer { code, body, headers }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(token, Method::GET, path, &Value::Null).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(token, Method::POST, path, body).await
    }

    /// Creates an object as the administrator and returns it.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(ADMIN, path, body).await;
        assert_eq!(answer.code, 201, "{path}: {}", answer.body);
        answer.body
    }

    /// Deletes an object at once.
    pub(crate) async fn delete(&self, path: &str) {
        let options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0 });
        let answer = self.send(ADMIN, Method::DELETE, path, &options).await;
        assert_eq!(answer.code, 200, "{path}: {}", answer.body);
    }

    pub(crate) async fn stop(self) {
        self.server.shutdown().await.unwrap();
    }
}

impl Answer {
    /// The text of a `Status`.
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}
