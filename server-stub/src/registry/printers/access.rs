//! Role bindings, certificates and admission.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{count, created, has_condition, items, joined, name, number, selector, text, text_or};
use crate::human_duration::human_duration;

pub(super) fn role_binding(o: &Value, now: Timestamp) -> Vec<Value> {
    let subjects = |kind: &'static str| items(o, "/subjects").filter(move |s| text(s, "/kind") == kind);
    let accounts = subjects("ServiceAccount").map(|s| format!("{}/{}", text(s, "/namespace"), text(s, "/name")));
    vec![
        name(o),
        json!(format!("{}/{}", text(o, "/roleRef/kind"), text(o, "/roleRef/name"))),
        created(o, now),
        json!(joined(subjects("User").map(|s| text(s, "/name")), ", ", "")),
        json!(joined(subjects("Group").map(|s| text(s, "/name")), ", ", "")),
        json!(accounts.collect::<Vec<_>>().join(", ")),
    ]
}

pub(super) fn certificate_signing_request(o: &Value, now: Timestamp) -> Vec<Value> {
    let mut status = match (has_condition(o, "Denied"), has_condition(o, "Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has_condition(o, "Failed") {
        status.push_str(",Failed");
    }
    if !text(o, "/status/certificate").is_empty() {
        status.push_str(",Issued");
    }
    let duration = match number(o, "/spec/expirationSeconds") {
        0 => "<none>".to_owned(),
        seconds => human_duration(seconds),
    };
    vec![
        name(o),
        created(o, now),
        json!(text_or(o, "/spec/signerName", "<none>")),
        json!(text(o, "/spec/username")),
        json!(duration),
        json!(status),
    ]
}

pub(super) fn webhook_configuration(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(o), json!(count(o, "/webhooks")), created(o, now)]
}

pub(super) fn validating_policy(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(o),
        json!(count(o, "/spec/validations")),
        json!(param_kind(o)),
        created(o, now),
    ]
}

pub(super) fn mutating_policy(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(o),
        json!(count(o, "/spec/mutations")),
        json!(param_kind(o)),
        created(o, now),
    ]
}

fn param_kind(o: &Value) -> String {
    match o.pointer("/spec/paramKind").filter(|kind| !kind.is_null()) {
        Some(kind) => format!("{}/{}", text(kind, "/apiVersion"), text(kind, "/kind")),
        None => "<unset>".to_owned(),
    }
}

pub(super) fn policy_binding(o: &Value, now: Timestamp) -> Vec<Value> {
    let param = o.pointer("/spec/paramRef").unwrap_or(&Value::Null);
    let param = match (text(param, "/namespace"), text(param, "/name")) {
        (_, "") => param
            .get("selector")
            .map_or_else(|| "<unset>".to_owned(), |s| selector(Some(s))),
        ("", name) => format!("*/{name}"),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    vec![
        name(o),
        json!(text(o, "/spec/policyName")),
        json!(param),
        created(o, now),
    ]
}
