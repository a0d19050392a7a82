//! What spans and figures say of scripted exchanges.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header;
use k8s_openapi::api::core::v1::Pod;
use parking_lot::Mutex;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::api::Api;
use crate::rest::{Client, ClientMetrics, Request, Verb};
use crate::transport::TransportError;
use crate::transport::script::{Script, json_answer};
use crate::{Config, ListOptions};

type Fields = BTreeMap<&'static str, String>;

/// Keeps the fields of the client's spans.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Fields>>>);

struct Fill<'a>(&'a mut Fields);

impl Visit for Fill<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == "kubewire_client::rest::observer"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock();
        let mut fields = Fields::new();
        span.record(&mut Fill(&mut fields));
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.0.lock();
        let index = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Fill(&mut spans[index]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn fields<const N: usize>(fields: [(&'static str, &str); N]) -> Fields {
    fields.map(|(name, value)| (name, value.to_owned())).into()
}

fn too_many() -> http::Response<crate::transport::Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 429});
    let mut answer = json_answer(429, status);
    answer.headers_mut().insert(header::RETRY_AFTER, 1.into());
    answer
}

#[tokio::test(start_paused = true)]
async fn spans_have_the_names_of_opentelemetry() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
    let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []});
    let script = Script::new([
        Ok(too_many()),
        Ok(json_answer(200, list)),
        Err(TransportError::request("gone")),
    ]);
    let config = Config::new("https://10.0.0.1:6443/base/");
    let client = Client::over(script, &config);
    let pods = Api::<Pod>::namespaced(client.clone(), "shop");
    pods.list(&ListOptions::default().with_labels("app=web")).await.unwrap();
    let exec = Request::new(Verb::Create, "/api/v1/namespaces/shop/pods/a/exec?token=x", "exec");
    let exec = exec.param("container", "main").param("command", "echo pass");
    assert!(client.send(exec).await.is_err());

    let list = [
        ("otel.kind", "client"),
        ("otel.name", "GET pods"),
        ("http.request.method", "GET"),
        (
            "url.full",
            "https://10.0.0.1:6443/base/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb",
        ),
        ("server.address", "10.0.0.1"),
        ("server.port", "6443"),
    ];
    let mut first = fields(list);
    first.extend(fields([("http.response.status_code", "429"), ("error.type", "429")]));
    let mut second = fields(list);
    second.extend(fields([
        ("http.response.status_code", "200"),
        ("http.request.resend_count", "1"),
    ]));
    let exec = fields([
        ("otel.kind", "client"),
        ("otel.name", "POST"),
        ("http.request.method", "POST"),
        (
            "url.full",
            "https://10.0.0.1:6443/base/api/v1/namespaces/shop/pods/a/exec?token=REDACTED&container=main&command=REDACTED",
        ),
        ("server.address", "10.0.0.1"),
        ("server.port", "6443"),
        ("error.type", "request"),
    ]);
    assert_eq!(*spans.0.lock(), [first, second, exec]);
}

#[tokio::test]
async fn without_a_server_there_is_a_path() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
    let client = Client::with_transport(Script::new([Ok(json_answer(200, json!({})))]));
    client
        .send(Request::new(Verb::Get, "/version", "the version"))
        .await
        .unwrap();
    let span = spans.0.lock().remove(0);
    assert_eq!(
        (span["url.full"].as_str(), span.get("server.address")),
        ("/version", None)
    );
}

/// Figures in words.
#[derive(Debug, Default)]
struct Figures(Mutex<Vec<String>>, AtomicU64);

impl ClientMetrics for Figures {
    fn answered(&self, verb: Verb, code: Option<u16>, latency: Duration) {
        self.0
            .lock()
            .push(format!("{} {code:?} after {latency:?}", verb.word()));
    }

    fn retried(&self, verb: Verb, code: Option<u16>) {
        self.0.lock().push(format!("{} again after {code:?}", verb.word()));
    }

    fn rate_limited(&self, verb: Verb, wait: Duration) {
        let seconds = wait.as_secs_f64().round();
        self.0.lock().push(format!("{} waited {seconds} s", verb.word()));
    }

    fn client_certificate_expires(&self, at: jiff::Timestamp) {
        self.1.store(at.as_second().cast_unsigned(), Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn figures_of_answers_retries_and_waits() {
    let figures = Arc::new(Figures::default());
    let answers = [
        Ok(too_many()),
        Err(TransportError::connect("refused")),
        Ok(json_answer(200, json!({}))),
    ];
    let config = Config::new("https://10.0.0.1")
        .with_metrics(figures.clone())
        .with_rate_limit(0.1, 2);
    let client = Client::over(Script::new(answers), &config);
    client
        .send(Request::new(Verb::Get, "/version", "the version"))
        .await
        .unwrap();
    let figures = figures.0.lock().clone();
    let (waits, others): (Vec<_>, Vec<_>) = figures.iter().partition(|figure| figure.contains("waited"));
    assert_eq!(
        others,
        [
            "get Some(429) after 0ns",
            "get again after Some(429)",
            "get None after 0ns",
            "get again after None",
            "get Some(200) after 0ns",
        ]
    );
    assert_eq!(waits.len(), 1, "{waits:?}");
}

#[tokio::test]
async fn the_certificates_expiry() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.not_after = rcgen::date_time_ymd(2031, 2, 3);
    let certificate = parameters.self_signed(&key).unwrap();
    let figures = Arc::new(Figures::default());
    let inline = |pem: String| crate::config::PemSource::Inline(pem.into());
    let config = Config::new("https://10.0.0.1")
        .with_metrics(figures.clone())
        .with_client_certificate(inline(certificate.pem()), inline(key.serialize_pem()));
    Client::new(&config).unwrap();
    let expected: jiff::Timestamp = "2031-02-03T00:00:00Z".parse().unwrap();
    assert_eq!(figures.1.load(Ordering::Relaxed), expected.as_second().cast_unsigned());
}
