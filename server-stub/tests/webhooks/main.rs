//! Admission webhooks over real TLS: asked about what rules and selectors say, and heard.

#![allow(clippy::unwrap_used)] // a test program

mod views;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Response as HttpResponse, header};
use http_body_util::BodyExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::{Clientset, WriteOptions};
use kubewire_server_stub::generic::certificates::Authority;
use kubewire_server_stub::generic::clock::Clock;
use kubewire_server_stub::generic::delegation::Handler;
use kubewire_server_stub::generic::request::{Request, Response, full};
use kubewire_server_stub::generic::serving::{Serving, TlsSettings};
use kubewire_server_stub::generic::serving_certificates::ServingCertificates;
use kubewire_server_stub::testing::{Options, Server};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Makes an answer of a question.
type Answer = dyn Fn(&Value) -> Value + Send + Sync;

/// A webhook that listens, and remembers what it was asked.
struct Webhook {
    url: String,
    ca: ByteString,
    asked: Arc<Mutex<Vec<Value>>>,
    _running: DropGuard,
}

struct Answers {
    answer: Box<Answer>,
    asked: Arc<Mutex<Vec<Value>>>,
}

#[async_trait]
impl Handler for Answers {
    async fn handle(&self, request: Request) -> Response {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let review: Value = serde_json::from_slice(&body).unwrap();
        let asked = review["request"].clone();
        let mut response = (self.answer)(&asked);
        if response["uid"].is_null() {
            response["uid"] = asked["uid"].clone();
        }
        self.asked.lock().push(asked);
        let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response });
        HttpResponse::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(full(review.to_string()))
            .unwrap()
    }
}

impl Webhook {
    async fn start(answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        let authority = Authority::new("webhooks", &Clock::system()).unwrap();
        let pair = authority.server("webhook", &["localhost"], &[]).unwrap();
        let certificates = ServingCertificates::fixed(&pair.certificate_pem, &pair.key_pem).unwrap();
        let address = ([127, 0, 0, 1], 0).into();
        let serving = Serving::bind(address, certificates, &TlsSettings::default())
            .await
            .unwrap();
        let port = serving.local_addr().unwrap().port();
        let (asked, stop) = (Arc::<Mutex<Vec<Value>>>::default(), CancellationToken::new());
        let answers = Answers {
            answer: Box::new(answer),
            asked: asked.clone(),
        };
        tokio::spawn(serving.serve(Arc::new(answers), stop.clone(), stop.clone()));
        Self {
            url: format!("https://localhost:{port}/hook"),
            ca: ByteString(authority.certificate_pem().as_bytes().to_vec()),
            asked,
            _running: stop.drop_guard(),
        }
    }

    /// A configuration of this webhook for config maps; `more` overrides parts of the webhook.
    fn configuration(&self, name: &str, more: &Value) -> Value {
        let mut webhook = json!({
            "name": format!("{name}.example.com"),
            "clientConfig": { "url": self.url, "caBundle": self.ca },
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                "operations": ["CREATE", "UPDATE", "DELETE"],
            }],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        });
        webhook
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "metadata": { "name": name }, "webhooks": [webhook] })
    }

    /// A configuration of this webhook for these rules beside those for config maps.
    async fn hear_of(&self, clientset: &Clientset, rules: &[(&str, &str, &str)]) {
        let rules = rules.iter().map(|(group, version, resource)| {
            json!({
                "apiGroups": [group], "apiVersions": [version], "resources": [resource], "operations": ["*"],
            })
        });
        let config_maps = json!({
            "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"],
        });
        let rules: Vec<Value> = rules.chain([config_maps]).collect();
        self.mutate(clientset, "listener", json!({ "rules": rules })).await;
    }

    /// What was asked since the last time.
    fn taken(&self) -> Vec<Value> {
        std::mem::take(&mut self.asked.lock())
    }

    /// Makes the server ask this webhook before it stores something, and waits until it does.
    async fn mutate(&self, clientset: &Clientset, name: &str, more: Value) {
        let configuration = self.configuration(name, &more);
        let configuration: MutatingWebhookConfiguration = serde_json::from_value(configuration).unwrap();
        let api = clientset.admissionregistration_v1().mutating_webhook_configurations();
        api.create(&configuration, &WriteOptions::default()).await.unwrap();
        self.wait_until_asked(clientset).await;
    }

    async fn validate(&self, clientset: &Clientset, name: &str, more: Value) {
        let configuration = self.configuration(name, &more);
        let configuration: ValidatingWebhookConfiguration = serde_json::from_value(configuration).unwrap();
        let api = clientset.admissionregistration_v1().validating_webhook_configurations();
        api.create(&configuration, &WriteOptions::default()).await.unwrap();
        self.wait_until_asked(clientset).await;
    }

    async fn wait_until_asked(&self, clientset: &Clientset) {
        let dry = WriteOptions::default().with_dry_run();
        let asked = async {
            while self.asked.lock().is_empty() {
                let _ = clientset
                    .core_v1()
                    .config_maps("default")
                    .create(&config_map("probe"), &dry)
                    .await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap();
        self.asked.lock().clear();
    }
}

fn config_map(name: &str) -> ConfigMap {
    let labels = json!({ "app": name });
    serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels }, "data": {} })).unwrap()
}

async fn start() -> (Server, Clientset) {
    let server = Server::start(Options::default()).await.unwrap();
    let clientset = Clientset::new(&server.client_config()).unwrap();
    (server, clientset)
}

/// A yes with a JSON patch.
fn patch(operations: &Value) -> Value {
    let patch = ByteString(operations.to_string().into_bytes());
    json!({ "allowed": true, "patchType": "JSONPatch", "patch": patch })
}

#[tokio::test]
async fn a_no_is_heard_in_the_words_of_the_webhook() {
    let (_server, clientset) = start().await;
    let webhook = Webhook::start(|request| match request["name"].as_str() {
        Some("bad") => {
            json!({ "allowed": false, "status": { "code": 403, "reason": "Forbidden", "message": "not here" } })
        }
        Some("silent") => json!({ "allowed": false }),
        _ => json!({ "allowed": true, "warnings": ["think twice"] }),
    })
    .await;
    webhook.validate(&clientset, "judge", json!({})).await;
    let config_maps = clientset.core_v1().config_maps("default");
    let create = async |name: &str| config_maps.create(&config_map(name), &WriteOptions::default()).await;
    let refused = create("bad").await.unwrap_err();
    let status = refused.status().unwrap();
    assert_eq!(
        status.message.as_deref(),
        Some("admission webhook \"judge.example.com\" denied the request: not here")
    );
    assert_eq!((status.code, status.reason.as_deref()), (Some(403), Some("Forbidden")));
    let refused = create("silent").await.unwrap_err();
    let status = refused.status().unwrap();
    assert_eq!(
        (status.code, status.message.as_deref()),
        (
            Some(400),
            Some("admission webhook \"judge.example.com\" denied the request without explanation")
        )
    );
    create("good").await.unwrap();
    config_maps.delete("good", &Default::default()).await.unwrap();
    let asked = webhook.asked.lock().clone();
    let (created, deleted) = (&asked[asked.len() - 2], &asked[asked.len() - 1]);
    assert_eq!(
        (
            &created["operation"],
            &created["object"]["metadata"]["name"],
            &created["oldObject"]
        ),
        (&json!("CREATE"), &json!("good"), &Value::Null)
    );
    assert_eq!(
        created["kind"],
        json!({ "group": "", "version": "v1", "kind": "ConfigMap" })
    );
    assert_eq!(created["options"]["kind"], "CreateOptions");
    assert_eq!(created["userInfo"]["username"], "kubernetes-admin");
    assert_eq!(
        (&deleted["operation"], &deleted["oldObject"]["kind"], &deleted["object"]),
        (&json!("DELETE"), &json!("ConfigMap"), &Value::Null)
    );
}

#[tokio::test]
async fn changes_are_made_in_order_and_those_who_want_to_see_them_are_asked_again() {
    let (_server, clientset) = start().await;
    let append = |letter: &'static str| {
        move |request: &Value| {
            let before = request["object"]["data"]["seen"].as_str().unwrap_or_default();
            let seen = format!("{before}{letter}");
            match before.len() {
                0..=2 => patch(&json!([{ "op": "add", "path": "/data", "value": { "seen": seen } }])),
                _ => json!({ "allowed": true }),
            }
        }
    };
    let (first, second) = (Webhook::start(append("a")).await, Webhook::start(append("b")).await);
    first
        .mutate(&clientset, "first", json!({ "reinvocationPolicy": "IfNeeded" }))
        .await;
    second.mutate(&clientset, "second", json!({})).await;
    let config_maps = clientset.core_v1().config_maps("default");
    let created = config_maps
        .create(&config_map("one"), &WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(created.data.unwrap()["seen"], "aba");
}

#[tokio::test]
async fn the_second_round_asks_those_whose_view_the_round_itself_changed() {
    let (_server, clientset) = start().await;
    let append = |letter: &'static str| {
        move |request: &Value| {
            let before = request["object"]["data"]["seen"].as_str().unwrap_or_default();
            let seen = format!("{before}{letter}");
            patch(&json!([{ "op": "add", "path": "/data", "value": { "seen": seen } }]))
        }
    };
    let (a, b, c) = (
        Webhook::start(append("a")).await,
        Webhook::start(append("b")).await,
        Webhook::start(append("c")).await,
    );
    let again = json!({ "reinvocationPolicy": "IfNeeded" });
    a.mutate(&clientset, "a", again.clone()).await;
    b.mutate(&clientset, "b", json!({})).await;
    c.mutate(&clientset, "c", again).await;
    let config_maps = clientset.core_v1().config_maps("default");
    let created = config_maps.create(&config_map("one"), &WriteOptions::default()).await;
    assert_eq!(created.unwrap().data.unwrap()["seen"], "abcac");
}

#[tokio::test]
async fn rules_and_selectors_say_who_is_asked() {
    let (_server, clientset) = start().await;
    let webhook = Webhook::start(|_| json!({ "allowed": true })).await;
    let selectors = json!({
        "objectSelector": { "matchExpressions": [{ "key": "app", "operator": "NotIn", "values": ["skipped"] }] },
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "default" } },
    });
    webhook.validate(&clientset, "selective", selectors).await;
    let create = async |namespace: &str, name: &str| {
        let config_maps = clientset.core_v1().config_maps(namespace);
        config_maps
            .create(&config_map(name), &WriteOptions::default())
            .await
            .unwrap();
        webhook.asked.lock().drain(..).count()
    };
    assert_eq!(create("default", "asked").await, 1);
    assert_eq!(create("default", "skipped").await, 0);
    assert_eq!(create("kube-system", "elsewhere").await, 0);
}

#[tokio::test]
async fn failures_count_where_the_policy_says_so() {
    let (_server, clientset) = start().await;
    let webhook = Webhook::start(|_| json!({ "allowed": true, "uid": "another" })).await;
    webhook
        .validate(&clientset, "lenient", json!({ "failurePolicy": "Ignore" }))
        .await;
    let config_maps = clientset.core_v1().config_maps("default");
    config_maps
        .create(&config_map("one"), &WriteOptions::default())
        .await
        .unwrap();
    let strict = Webhook::start(|_| json!({ "allowed": true, "uid": "another" })).await;
    strict
        .validate(&clientset, "strict", json!({ "sideEffects": "NoneOnDryRun" }))
        .await;
    let refused = config_maps
        .create(&config_map("two"), &WriteOptions::default())
        .await
        .unwrap_err();
    let message = refused.status().unwrap().message.clone().unwrap();
    assert!(
        message.starts_with(
            "Internal error occurred: failed calling webhook \"strict.example.com\": received invalid webhook response: \
             expected response.uid="
        ),
        "{message}"
    );
}

#[tokio::test]
async fn nobody_listening_is_a_failure_that_says_where() {
    let (_server, clientset) = start().await;
    let webhook = Webhook::start(|_| json!({ "allowed": true })).await;
    webhook.validate(&clientset, "gone", json!({})).await;
    let Webhook { url, _running, .. } = webhook;
    drop(_running);
    let config_maps = clientset.core_v1().config_maps("default");
    let refused = async {
        loop {
            // Until the port is closed.
            let created = config_maps
                .create(&config_map("one"), &WriteOptions::default().with_dry_run())
                .await;
            if let Err(error) = created
                && error.to_string().contains("refused")
            {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
    let message = refused.status().unwrap().message.clone().unwrap();
    assert_eq!(
        message,
        format!(
            "Internal error occurred: failed calling webhook \"gone.example.com\": failed to call webhook: Post \
             \"{url}?timeout=10s\": dial tcp localhost:{}: connect: connection refused",
            url.split([':', '/']).nth(4).unwrap()
        )
    );
}
