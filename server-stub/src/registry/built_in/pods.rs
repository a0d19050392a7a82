//! Pods.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::rules::Rules;
use crate::registry::query::DeleteOptions;
use crate::registry::validation::pod;
use crate::registry::validation::values::{flag, get, items, number, put, text};

pub(super) const POD: Rules = Rules {
    create: |pod, _| {
        add_default_tolerations(pod);
        if get(pod, "/spec/priority").is_null() {
            put(pod, &["spec", "priority"], json!(0));
        }
        if text(pod, "/spec/preemptionPolicy").is_empty() {
            put(pod, &["spec", "preemptionPolicy"], json!("PreemptLowerPriority"));
        }
        put(pod, &["status", "phase"], json!("Pending"));
        put(pod, &["status", "qosClass"], json!(pod::qos_class(pod)));
    },
    update: |change| {
        // A kubelet of old must not take these away with a status.
        if change.subresource == Some("status") {
            let owners = get(change.old, "/metadata/ownerReferences").clone();
            put(change.new, &["metadata", "ownerReferences"], owners);
        }
    },
    validate: pod::validate,
    validate_update: pod::validate_update,
    grace_period,
    returns_deleted_object: true,
    field,
    unknown_field: |field, _| format!("field label not supported: {field}"),
    ..Rules::COUNTED
};

/// What the admission plugin DefaultTolerationSeconds adds.
fn add_default_tolerations(pod: &mut Value) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = items(pod, "/spec/tolerations").iter().any(|toleration| {
            let covers = |field: &str, wanted: &str| {
                let value = text(toleration, field);
                value.is_empty() || value == wanted
            };
            covers("/key", key) && covers("/effect", "NoExecute")
        });
        if tolerated {
            continue;
        }
        let mut all = items(pod, "/spec/tolerations").to_vec();
        all.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        put(pod, &["spec", "tolerations"], Value::Array(all));
    }
}

/// A pod that runs nowhere goes at once.
fn grace_period(pod: &Value, options: &DeleteOptions) -> Option<i64> {
    let unscheduled = text(pod, "/spec/nodeName").is_empty();
    let ended = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if unscheduled || ended {
        return Some(0);
    }
    let own = number(pod, "/spec/terminationGracePeriodSeconds");
    let seconds = options.grace_period_seconds.or(own).unwrap_or_default();
    Some(if seconds < 0 { 1 } else { seconds })
}

fn field<'a>(pod: &'a Value, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "spec.host" => Some(text(pod, "/spec/nodeName").into()),
        "spec.hostNetwork" => Some(flag(pod, "/spec/hostNetwork").to_string().into()),
        _ => None,
    }
}
