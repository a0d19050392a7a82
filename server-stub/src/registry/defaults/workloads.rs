//! Conditional defaults of workloads: apps, batch, autoscaling.

use serde_json::{Map, Value, json};

use crate::registry::conversion::read_defaults::name_claims;

use super::conditional::{is_absent, object, set_absent, set_unset, text};

type Members = Map<String, Value>;

/// The limit of retries where they are counted per index.
const NO_LIMIT: i32 = i32::MAX;

/// A rolling update has its parameters, even when none is given.
pub(super) fn rolling_update(strategy: &str, members: &mut Members) {
    let Some(strategy) = object(members, strategy) else {
        return;
    };
    set_unset(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        set_absent(strategy, "rollingUpdate", json!({}));
    }
}

pub(super) fn stateful_set(members: &mut Members) {
    // A strategy that has a type is complete.
    if let Some(strategy) = object(members, "updateStrategy")
        && text(strategy, "type").is_empty()
    {
        rolling_update("updateStrategy", members);
    }
    name_claims(members);
    set_absent(members, "persistentVolumeClaimRetentionPolicy", json!({}));
}

/// An object without labels, and a selector that is not there, get the labels of the template.
pub(super) fn labels_from_template(members: &mut Members, with_selector: bool) {
    let Some(labels) = members
        .get("spec")
        .and_then(|spec| spec.pointer("/template/metadata/labels"))
        .filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty()))
        .cloned()
    else {
        return;
    };
    if with_selector && let Some(spec) = object(members, "spec") {
        set_empty(spec, "selector", &labels);
    }
    if let Some(metadata) = object(members, "metadata") {
        set_empty(metadata, "labels", &labels);
    }
}

/// The same for jobs; those of new ones without a selector are known only once they have one.
pub(super) fn job_labels(members: &mut Members) {
    if members
        .get("spec")
        .is_some_and(|spec| spec.get("selector").is_some_and(Value::is_object))
    {
        labels_from_template(members, false);
    }
}

fn set_empty(members: &mut Members, name: &str, value: &Value) {
    if members.get(name).and_then(Value::as_object).is_none_or(Map::is_empty) {
        members.insert(name.to_owned(), value.clone());
    }
}

pub(super) fn job(members: &mut Members) {
    if is_absent(members, "completions") && is_absent(members, "parallelism") {
        members.insert("completions".to_owned(), 1.into());
    }
    set_absent(members, "parallelism", 1);
    let limit = if is_absent(members, "backoffLimitPerIndex") {
        6
    } else {
        NO_LIMIT
    };
    set_absent(members, "backoffLimit", limit);
    let replacement = if is_absent(members, "podFailurePolicy") {
        "TerminatingOrFailed"
    } else {
        "Failed"
    };
    set_absent(members, "podReplacementPolicy", replacement);
}

/// Without metrics an autoscaler aims at 80 % of the requested CPU; scaling rules get their missing parts.
pub(super) fn autoscaler(members: &mut Members) {
    if members
        .get("metrics")
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
    {
        let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}});
        members.insert("metrics".to_owned(), json!([{"type": "Resource", "resource": cpu}]));
    }
    let Some(behavior) = members.get_mut("behavior").and_then(Value::as_object_mut) else {
        return;
    };
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    if let Some(up) = object(behavior, "scaleUp") {
        set_absent(up, "stabilizationWindowSeconds", 0);
        set_absent(up, "selectPolicy", "Max");
        set_absent(up, "policies", json!([pods, percent]));
    }
    if let Some(down) = object(behavior, "scaleDown") {
        set_absent(down, "selectPolicy", "Max");
        set_absent(down, "policies", json!([percent]));
    }
}
