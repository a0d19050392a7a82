//! Pods.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::rules::{Rules, not_supported};
use crate::registry::query::DeleteOptions;
use crate::registry::store::seconds;
use crate::registry::strategy::{Update, keep};
use crate::registry::validation::pod;
use crate::registry::validation::values::{flag, get, items, number, put, text};

pub(super) const POD: Rules = Rules {
    create: |pod, context| {
        if number(pod, "/spec/terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
            put(pod, &["spec", "terminationGracePeriodSeconds"], json!(1));
        }
        if get(pod, "/spec/priority").is_null() {
            put(pod, &["spec", "priority"], json!(0));
        }
        if text(pod, "/spec/preemptionPolicy").is_empty() {
            put(pod, &["spec", "preemptionPolicy"], json!("PreemptLowerPriority"));
        }
        put(pod, &["status", "phase"], json!("Pending"));
        put(pod, &["status", "qosClass"], json!(pod::qos_class(pod)));
        if !items(pod, "/spec/schedulingGates").is_empty() {
            let gated = json!({
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": null,
                "lastTransitionTime": seconds(context.clock.now()),
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            });
            put(pod, &["status", "conditions"], json!([gated]));
        }
    },
    update,
    warnings: |pod, old| match old {
        None => pod::warnings(pod),
        Some(_) => Vec::new(),
    },
    validate: pod::validate,
    validate_update: pod::validate_update,
    validate_status: pod::validate_status,
    validate_subresource: |subresource, new, old| match subresource {
        "ephemeralcontainers" => pod::validate_ephemeral_containers(new, old),
        "resize" => pod::validate_resize(new, old),
        _ => Vec::new(),
    },
    grace_period,
    returns_deleted_object: true,
    field,
    unknown_field: not_supported,
    ..Rules::COUNTED
};

fn update(change: &mut Update<'_>) {
    let grace = number(change.new, "/spec/terminationGracePeriodSeconds");
    if change.subresource.is_none() && grace.is_some_and(|seconds| seconds < 0) {
        put(change.new, &["spec", "terminationGracePeriodSeconds"], json!(1));
    }
    match change.subresource {
        Some("status") => {
            // A kubelet of old must not take these away with a status.
            let owners = get(change.old, "/metadata/ownerReferences").clone();
            put(change.new, &["metadata", "ownerReferences"], owners);
            if text(change.new, "/status/qosClass").is_empty() {
                put(
                    change.new,
                    &["status", "qosClass"],
                    get(change.old, "/status/qosClass").clone(),
                );
            }
        }
        Some("ephemeralcontainers") => {
            let containers = get(change.new, "/spec/ephemeralContainers").clone();
            keep_all_but_spec(change);
            put(change.new, &["spec", "ephemeralContainers"], containers);
        }
        Some("resize") => resize(change),
        _ => {
            // What admission plugins add to new pods.
            for field in ["priority", "preemptionPolicy"] {
                let pointer = format!("/spec/{field}");
                if get(change.new, &pointer).is_null() {
                    put(change.new, &["spec", field], get(change.old, &pointer).clone());
                }
            }
        }
    }
}

/// Spec and labels of the old pod; names and versions are checked elsewhere.
fn keep_all_but_spec(change: &mut Update<'_>) {
    keep(change.new, Some(change.old), "spec");
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let value = get(change.old, &format!("/metadata/{field}")).clone();
        put(change.new, &["metadata", field], value);
    }
}

/// Takes over the resources of containers and nothing else; containers that are others are left to the rules.
fn resize(change: &mut Update<'_>) {
    let names = |pod: &Value, list: &str| -> Vec<String> {
        let containers = items(pod, &format!("/spec/{list}")).iter();
        containers
            .map(|container| text(container, "/name").to_owned())
            .collect()
    };
    let lists = ["containers", "initContainers"];
    if lists
        .iter()
        .any(|list| names(change.new, list) != names(change.old, list))
    {
        return;
    }
    let wanted = get(change.new, "/spec").clone();
    keep_all_but_spec(change);
    for list in lists {
        for (index, container) in items(&wanted, &format!("/{list}")).iter().enumerate() {
            for field in ["resources", "resizePolicy"] {
                if let Some(place) = change.new.pointer_mut(&format!("/spec/{list}/{index}")) {
                    put(place, &[field], get(container, &format!("/{field}")).clone());
                }
            }
        }
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
