//! The events themselves.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{HeaderMap, USER_AGENT};
use http::request::Parts;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Notes;
use crate::authentication::{Connection, user_info};
use crate::generic::request::RequestInfo;

/// The stage of a request at which an event is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was done yet.
    RequestReceived,
    /// A watch or a stream begins.
    ResponseStarted,
    /// The answer is complete.
    ResponseComplete,
    /// A handler panicked.
    Panic,
}

/// What is known of a request when it arrives.
#[derive(Clone)]
pub(crate) struct Received {
    id: String,
    uri: String,
    verb: String,
    user_agent: String,
    source_ips: Vec<IpAddr>,
    object: Option<Value>,
    at: Timestamp,
}

/// The answer: its code and, for a refusal, message and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: u16,
    pub(crate) message: String,
    pub(crate) reason: String,
}

impl Received {
    pub(crate) fn new(head: &Parts, info: &RequestInfo, id: &str, at: Timestamp) -> Self {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let uri = head
            .uri
            .path_and_query()
            .map_or(head.uri.path(), |target| target.as_str());
        Self {
            id: id.to_owned(),
            uri: uri.to_owned(),
            verb: info.verb.clone(),
            user_agent: text(USER_AGENT).unwrap_or_default().to_owned(),
            source_ips: source_ips(&head.headers, head.extensions.get::<Arc<Connection>>()),
            object: info.is_resource_request.then(|| object_ref(info)),
            at,
        }
    }
}

/// An event at the level Metadata.
pub(crate) fn event(received: &Received, notes: &Notes, stage: Stage, outcome: &Outcome, now: Timestamp) -> Value {
    let stage = match stage {
        Stage::RequestReceived => "RequestReceived",
        Stage::ResponseStarted => "ResponseStarted",
        Stage::ResponseComplete => "ResponseComplete",
        Stage::Panic => "Panic",
    };
    let mut event = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": received.id,
        "stage": stage,
        "requestURI": received.uri,
        "verb": received.verb,
        "user": notes.user.as_ref().map(|user| user_info(user)).unwrap_or_else(|| json!({})),
    });
    if let Some(user) = &notes.impersonated {
        event["impersonatedUser"] = user_info(user);
    }
    if !received.source_ips.is_empty() {
        event["sourceIPs"] = json!(received.source_ips);
    }
    if !received.user_agent.is_empty() {
        event["userAgent"] = received.user_agent.clone().into();
    }
    if let Some(object) = &received.object {
        event["objectRef"] = object.clone();
    }
    if outcome.code > 0 {
        event["responseStatus"] = status(outcome);
    }
    event["requestReceivedTimestamp"] = micros(received.at).into();
    event["stageTimestamp"] = micros(now).into();
    if !notes.annotations.is_empty() {
        event["annotations"] = json!(notes.annotations);
    }
    event
}

fn status(outcome: &Outcome) -> Value {
    let mut status = json!({ "metadata": {} });
    if outcome.code >= 400 {
        status["status"] = "Failure".into();
    }
    for (field, text) in [("message", &outcome.message), ("reason", &outcome.reason)] {
        if !text.is_empty() {
            status[field] = text.clone().into();
        }
    }
    status["code"] = outcome.code.into();
    status
}

fn object_ref(info: &RequestInfo) -> Value {
    let fields = [
        ("resource", &info.resource),
        ("namespace", &info.namespace),
        ("name", &info.name),
        ("apiGroup", &info.api_group),
        ("apiVersion", &info.api_version),
        ("subresource", &info.subresource),
    ];
    let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let object: Map<String, Value> = fields
        .map(|(name, value)| (name.to_owned(), value.clone().into()))
        .collect();
    object.into()
}

/// The addresses on the way from the client, as proxies in between have noted them, and the last one, which is sure.
fn source_ips(headers: &HeaderMap, connection: Option<&Arc<Connection>>) -> Vec<IpAddr> {
    let forwarded = headers.get_all("x-forwarded-for").iter();
    let forwarded = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut ips: Vec<IpAddr> = forwarded.filter_map(|ip| ip.trim().parse().ok()).collect();
    if ips.is_empty()
        && let Some(ip) = headers.get("x-real-ip").and_then(|value| value.to_str().ok())
    {
        ips.extend(ip.parse::<IpAddr>());
    }
    if let Some(connection) = connection
        && ips.last() != Some(&connection.remote_addr.ip())
    {
        ips.push(connection.remote_addr.ip());
    }
    ips
}

fn micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
