//! Configuration, namespaces, nodes and the API itself.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{count, created, flag, has_condition, items, joined, name, number, text, text_or};

pub(super) fn config_map(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(o),
        json!(count(o, "/data") + count(o, "/binaryData")),
        created(o, now),
    ]
}

pub(super) fn secret(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(o),
        json!(text(o, "/type")),
        json!(count(o, "/data")),
        created(o, now),
    ]
}

pub(super) fn namespace(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(o), json!(text(o, "/status/phase")), created(o, now)]
}

pub(super) fn node(o: &Value, now: Timestamp) -> Vec<Value> {
    let ready = items(o, "/status/conditions").find(|c| text(c, "/type") == "Ready");
    let mut status = vec![match ready.map(|c| text(c, "/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if flag(o, "/spec/unschedulable") {
        status.push("SchedulingDisabled");
    }
    let address = |kind| {
        let found = items(o, "/status/addresses").find(|a| text(a, "/type") == kind);
        json!(found.map_or("<none>", |a| text(a, "/address")))
    };
    let info = |field: &str| json!(text_or(o, &format!("/status/nodeInfo/{field}"), "<unknown>"));
    vec![
        name(o),
        json!(status.join(",")),
        json!(node_roles(o)),
        created(o, now),
        json!(text(o, "/status/nodeInfo/kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn node_roles(o: &Value) -> String {
    let labels = o
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let mut roles: Vec<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    joined(roles, ",", "<none>")
}

pub(super) fn resource_quota(o: &Value, now: Timestamp) -> Vec<Value> {
    let hard = o.pointer("/spec/hard").and_then(Value::as_object);
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in hard.into_iter().flatten() {
        let used = o
            .pointer("/status/used")
            .and_then(|used| used.get(resource))
            .and_then(Value::as_str)
            .unwrap_or("0");
        let column = if resource.starts_with("limits") {
            &mut limits
        } else {
            &mut requests
        };
        column.push(format!("{resource}: {used}/{}", hard.as_str().unwrap_or_default()));
    }
    vec![
        name(o),
        json!(requests.join(", ")),
        json!(limits.join(", ")),
        created(o, now),
    ]
}

pub(super) fn lease(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(o), json!(text(o, "/spec/holderIdentity")), created(o, now)]
}

pub(super) fn priority_class(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(o),
        json!(number(o, "/value")),
        json!(flag(o, "/globalDefault")),
        created(o, now),
        json!(text(o, "/preemptionPolicy")),
    ]
}

pub(super) fn runtime_class(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(o), json!(text(o, "/handler")), created(o, now)]
}

pub(super) fn custom_resource_definition(o: &Value, _: Timestamp) -> Vec<Value> {
    let served = items(o, "/spec/versions").filter(|version| version["served"] == true);
    let mut versions: Vec<String> = served
        .map(|version| {
            let mark = if version["storage"] == true { "(storage)" } else { "" };
            format!("{}{mark}", text(version, "/name"))
        })
        .collect();
    versions.sort();
    vec![
        name(o),
        json!(text(o, "/spec/scope")),
        json!(joined(versions.iter().map(String::as_str), ",", "")),
        json!(text(o, "/metadata/creationTimestamp")),
        json!(text(o, "/spec/group")),
        json!(text(o, "/spec/names/kind")),
        json!(joined(
            items(o, "/spec/names/shortNames").filter_map(Value::as_str),
            ",",
            ""
        )),
        json!(has_condition(o, "Established")),
    ]
}

pub(super) fn api_service(o: &Value, now: Timestamp) -> Vec<Value> {
    let service = match o.pointer("/spec/service").filter(|service| !service.is_null()) {
        Some(service) => format!("{}/{}", text(service, "/namespace"), text(service, "/name")),
        None => "Local".to_owned(),
    };
    let available = match items(o, "/status/conditions").find(|c| text(c, "/type") == "Available") {
        Some(c) if text(c, "/status") == "True" => "True".to_owned(),
        Some(c) => format!("{} ({})", text(c, "/status"), text(c, "/reason")),
        None => "Unknown".to_owned(),
    };
    vec![name(o), json!(service), json!(available), created(o, now)]
}
