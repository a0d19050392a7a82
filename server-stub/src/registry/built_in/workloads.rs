//! Deployments and their like.

use serde_json::{Value, json};

use super::cluster::COUNTED_WHOLE;
use super::rules::{Rules, not_supported};
use crate::registry::strategy::GarbageCollection;
use crate::registry::validation::metadata::label_name;
use crate::registry::validation::pod;
use crate::registry::validation::storage;
use crate::registry::validation::values::{get, immutable, items, not_negative, number, put, text};
use crate::registry::validation::workloads;
use crate::status::FieldError;

const ALL: &str = "cannot be greater than status.replicas";
const READY: &str = "cannot be greater than readyReplicas";

pub(super) const DEPLOYMENT: Rules = Rules {
    warnings: named_template_warnings,
    status_keeps: &["labels"],
    validate: workloads::deployment,
    validate_update: workloads::selector_update,
    validate_status: deployment_status,
    spec_changed: |new, old| {
        let annotations = |object| get(object, "/metadata/annotations").clone();
        new.get("spec") != old.get("spec") || annotations(new) != annotations(old)
    },
    ..Rules::COUNTED
};

pub(super) const REPLICA_SET: Rules = Rules {
    warnings: named_template_warnings,
    validate: workloads::replica_set,
    validate_update: workloads::selector_update,
    validate_status: |new, _| replicas_status(new),
    ..Rules::COUNTED
};

pub(super) const STATEFUL_SET: Rules = Rules {
    warnings: stateful_set_warnings,
    name: label_name,
    validate: workloads::stateful_set,
    validate_update: workloads::stateful_set_update,
    validate_status: stateful_set_status,
    ..Rules::COUNTED
};

pub(super) const DAEMON_SET: Rules = Rules {
    warnings: template_warnings,
    default: |daemon_set| {
        if template_generation(daemon_set) < 1 {
            put(daemon_set, TEMPLATE_GENERATION, json!("1"));
        }
    },
    update: |change| {
        if change.subresource.is_none() {
            let generation = template_generation(change.old);
            let changed = get(change.new, "/spec/template") != get(change.old, "/spec/template");
            let next = if changed { generation + 1 } else { generation };
            put(change.new, TEMPLATE_GENERATION, json!(next.to_string()));
        }
    },
    validate: workloads::daemon_set,
    validate_update: workloads::selector_update,
    validate_status: daemon_set_status,
    ..Rules::COUNTED
};

pub(super) const REPLICATION_CONTROLLER: Rules = Rules {
    unknown_field: not_supported,
    warnings: named_template_warnings,
    validate: workloads::replication_controller,
    validate_status: |new, _| replicas_status(new),
    garbage_collection: GarbageCollection::Orphan,
    ..Rules::COUNTED
};

pub(super) const POD_TEMPLATE: Rules = Rules {
    returns_deleted_object: true,
    ..COUNTED_WHOLE
};

pub(super) const CONTROLLER_REVISION: Rules = Rules {
    validate: |revision| {
        let mut errors = Vec::new();
        if get(revision, "/data").is_null() {
            errors.push(FieldError::required("data", "data is mandatory"));
        }
        errors.extend(not_negative(revision, "/revision"));
        errors
    },
    validate_update: |new, old| immutable(new, old, "/data").into_iter().collect(),
    ..Rules::PLAIN
};

/// How often the template of a daemon set has changed: a field of old, an annotation in `apps/v1`.
const TEMPLATE_GENERATION: &[&str] = &["metadata", "annotations", "deprecated.daemonset.template.generation"];

fn template_generation(daemon_set: &Value) -> i64 {
    let annotations = get(daemon_set, "/metadata/annotations");
    let generation = annotations.get("deprecated.daemonset.template.generation");
    let generation = generation.and_then(Value::as_str).and_then(|text| text.parse().ok());
    generation.unwrap_or_default()
}

/// Warnings about the template of a workload, if it is new or was changed.
pub(super) fn template_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let generation = |object| get(object, "/metadata/generation").clone();
    match old.is_some_and(|old| generation(old) == generation(new)) {
        true => Vec::new(),
        false => pod::template_warnings(get(new, "/spec/template"), "spec.template."),
    }
}

fn stateful_set_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = template_warnings(new, old);
    if old.is_none() {
        for (index, claim) in items(new, "/spec/volumeClaimTemplates").iter().enumerate() {
            let path = format!("spec.volumeClaimTemplates[{index}]");
            warnings.extend(storage::claim_warnings(get(claim, "/spec"), &path));
        }
        if number(new, "/spec/revisionHistoryLimit").is_some_and(|limit| limit < 0) {
            warnings.push(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is \
                 recommended"
                    .to_owned(),
            );
        }
    }
    warnings
}

/// The same for a workload whose pods are named after it.
pub(super) fn named_template_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let name = text(new, "/metadata/name");
    let mut warnings = match old {
        None => pod::unusual_name(name, "Pod names and hostnames"),
        Some(_) => Vec::new(),
    };
    warnings.extend(template_warnings(new, old));
    warnings
}

fn deployment_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let fields = [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    ];
    let limits = [
        ("updatedReplicas", "replicas", ALL),
        ("readyReplicas", "replicas", ALL),
        ("availableReplicas", "replicas", ALL),
        ("availableReplicas", "readyReplicas", READY),
    ];
    let mut errors = workloads::counters(new, &fields, &limits);
    errors.extend(workloads::collisions(new, old));
    errors
}

fn replicas_status(new: &Value) -> Vec<FieldError> {
    let fields = [
        "replicas",
        "fullyLabeledReplicas",
        "readyReplicas",
        "availableReplicas",
        "observedGeneration",
        "terminatingReplicas",
    ];
    let limits = [
        ("fullyLabeledReplicas", "replicas", ALL),
        ("readyReplicas", "replicas", ALL),
        ("availableReplicas", "replicas", ALL),
        ("availableReplicas", "readyReplicas", READY),
    ];
    workloads::counters(new, &fields, &limits)
}

fn stateful_set_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let fields = [
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
        "observedGeneration",
        "collisionCount",
    ];
    let limits = [
        ("readyReplicas", "replicas", ALL),
        ("currentReplicas", "replicas", ALL),
        ("updatedReplicas", "replicas", ALL),
        ("availableReplicas", "replicas", ALL),
        (
            "availableReplicas",
            "readyReplicas",
            "cannot be greater than status.readyReplicas",
        ),
    ];
    let mut errors = workloads::counters(new, &fields, &limits);
    errors.extend(workloads::collisions(new, old));
    errors
}

fn daemon_set_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let fields = [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    ];
    let mut errors = workloads::counters(new, &fields, &[]);
    errors.extend(workloads::collisions(new, old));
    errors
}
