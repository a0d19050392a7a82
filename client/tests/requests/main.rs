//! Our requests against those of client-go: method, path, parameters, headers and body of every verb of every kind.
//!
//! `client-go/requests` is the program that wrote what client-go sends:
//! `cd client/tests/client-go && go run ./requests | zstd -19 > ../../../testdata/vectors/client_go_requests.jsonl.zst`

#![cfg(k8s_openapi_ge = "1.37")] // the version that client-go was of
#![allow(clippy::unwrap_used, clippy::panic)] // a test program

mod calls;
mod generated;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use base64::Engine;
use calls::{Kind, kind};
use futures::StreamExt;
use generated::KINDS;
use http::{Request, Response, header};
use kubewire_client::transport::{Body, Transport, TransportError};
use kubewire_client::{Client, wire};
use parking_lot::Mutex;
use serde::Deserialize;

/// One request, as the other program saw it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    group: String,
    version: String,
    kind: String,
    namespaced: bool,
    call: String,
    options: bool,
    #[serde(flatten)]
    request: Sent,
}

/// What goes over the wire.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
struct Sent {
    method: String,
    path: String,
    query: String,
    accept: String,
    content_type: String,
    body: String,
}

#[tokio::test]
async fn requests_are_those_of_client_go() {
    let text = support::unzstd(&support::testdata("vectors/client_go_requests.jsonl.zst"));
    let records = String::from_utf8(text).unwrap();
    let (mut same, mut untyped, mut wrong) = (0, std::collections::BTreeSet::new(), Vec::new());
    for record in records
        .lines()
        .map(|line| serde_json::from_str::<Record>(line).unwrap())
    {
        if record.call == "GetScale" && record.options {
            continue; // client-go can ask for a subresource that is not older than a version; no server heeds it
        }
        let Some(kind) = KINDS.iter().find(|kind| kind.is_of(&record)) else {
            untyped.insert(format!("{}/{} {}", record.group, record.version, record.kind));
            continue;
        };
        let catcher = Arc::new(Catcher::default());
        (kind.call)(Client::with_transport(catcher.clone()), &record).await;
        let sent = catcher.0.lock().take();
        let expected = normal(record.request);
        match sent.map(|request| normal(sent_by_us(&request))) {
            Some(sent) if sent == expected => same += 1,
            sent => wrong.push(format!(
                "{} {} {}, options {}:\n  ours      {sent:?}\n  client-go {expected:?}",
                record.version, record.kind, record.call, record.options
            )),
        }
    }
    println!("{same} requests as client-go sends them; versions without a Rust type: {untyped:?}");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
    assert!(same > 1500, "{same}");
}

/// Parameters in alphabetical order, however their characters were escaped.
fn normal(mut sent: Sent) -> Sent {
    let unescape = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let mut parameters: Vec<String> = sent.query.split('&').map(unescape).collect();
    parameters.sort();
    sent.query = parameters.join("&");
    sent
}

fn sent_by_us(request: &Request<bytes::Bytes>) -> Sent {
    let header = |name| {
        let value = request.headers().get(name);
        value
            .map(|value: &http::HeaderValue| value.to_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    assert_eq!(header(header::ACCEPT_ENCODING), "identity");
    Sent {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        accept: header(header::ACCEPT),
        content_type: header(header::CONTENT_TYPE),
        body: base64::engine::general_purpose::STANDARD.encode(request.body()),
    }
}

/// Keeps the request and refuses it.
#[derive(Default)]
struct Catcher(Mutex<Option<Request<bytes::Bytes>>>);

#[async_trait::async_trait]
impl Transport for Catcher {
    async fn send(&self, request: Request<bytes::Bytes>) -> Result<Response<Body>, TransportError> {
        *self.0.lock() = Some(request);
        let body: Body = futures::stream::empty().boxed();
        Ok(Response::builder().status(403).body(body).unwrap())
    }
}

/// The message of an object with nothing but metadata.
pub(crate) fn only_metadata(metadata: &impl wire::Message) -> bytes::Bytes {
    let mut writer = wire::ReverseWriter::with_capacity(64);
    writer.bytes_field(1, &metadata.to_protobuf());
    writer.into_bytes()
}
