//! Controllers of pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{containers, created, flag, items, labels, name, number, selector, text};

pub(super) fn deployment(o: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(o.pointer("/spec/template/spec"));
    vec![
        name(o),
        ready_of_desired(o),
        json!(number(o, "/status/updatedReplicas")),
        json!(number(o, "/status/availableReplicas")),
        created(o, now),
        names,
        images,
        json!(selector(o.pointer("/spec/selector"))),
    ]
}

pub(super) fn replica_set(o: &Value, now: Timestamp) -> Vec<Value> {
    replicas(o, now, selector(o.pointer("/spec/selector")))
}

pub(super) fn replication_controller(o: &Value, now: Timestamp) -> Vec<Value> {
    replicas(o, now, labels(o.pointer("/spec/selector")))
}

fn replicas(o: &Value, now: Timestamp, selector: String) -> Vec<Value> {
    let [names, images] = containers(o.pointer("/spec/template/spec"));
    vec![
        name(o),
        json!(number(o, "/spec/replicas")),
        json!(number(o, "/status/replicas")),
        json!(number(o, "/status/readyReplicas")),
        created(o, now),
        names,
        images,
        json!(selector),
    ]
}

pub(super) fn stateful_set(o: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(o.pointer("/spec/template/spec"));
    vec![name(o), ready_of_desired(o), created(o, now), names, images]
}

pub(super) fn daemon_set(o: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(o.pointer("/spec/template/spec"));
    vec![
        name(o),
        json!(number(o, "/status/desiredNumberScheduled")),
        json!(number(o, "/status/currentNumberScheduled")),
        json!(number(o, "/status/numberReady")),
        json!(number(o, "/status/updatedNumberScheduled")),
        json!(number(o, "/status/numberAvailable")),
        json!(labels(o.pointer("/spec/template/spec/nodeSelector"))),
        created(o, now),
        names,
        images,
        json!(selector(o.pointer("/spec/selector"))),
    ]
}

pub(super) fn controller_revision(o: &Value, now: Timestamp) -> Vec<Value> {
    let owner = items(o, "/metadata/ownerReferences").find(|owner| flag(owner, "/controller"));
    let owner = owner.map(|owner| {
        let kind = text(owner, "/kind").to_lowercase();
        let group = text(owner, "/apiVersion")
            .split_once('/')
            .map(|(group, _)| format!(".{group}"));
        format!("{kind}{}/{}", group.unwrap_or_default(), text(owner, "/name"))
    });
    vec![
        name(o),
        json!(owner.unwrap_or_else(|| "<none>".to_owned())),
        json!(number(o, "/revision")),
        created(o, now),
    ]
}

pub(super) fn pod_template(o: &Value, _: Timestamp) -> Vec<Value> {
    let [names, images] = containers(o.pointer("/template/spec"));
    vec![
        name(o),
        names,
        images,
        json!(labels(o.pointer("/template/metadata/labels"))),
    ]
}

fn ready_of_desired(o: &Value) -> Value {
    json!(format!(
        "{}/{}",
        number(o, "/status/readyReplicas"),
        number(o, "/spec/replicas")
    ))
}
