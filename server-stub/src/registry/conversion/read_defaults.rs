//! Kinds of which kube-apiserver stores objects before the last defaults: those come when an object is read.

use serde_json::{Map, Value, json};

use super::Conversion;

pub(super) const CLAIM: Conversion = Conversion {
    from_storage: claim,
    to_storage: |claim| claim,
};

pub(super) const JOB: Conversion = Conversion {
    from_storage: job,
    to_storage: |job| job,
};

pub(super) const STATEFUL_SET: Conversion = Conversion {
    from_storage: stateful_set,
    to_storage: |set| set,
};

/// What pods of a stateful set claim says of what kind it is.
fn stateful_set(mut set: Value) -> Value {
    if let Some(spec) = set.get_mut("spec").and_then(Value::as_object_mut) {
        name_claims(spec);
    }
    set
}

/// Gives the claims of a stateful set's spec their kind.
pub(in crate::registry) fn name_claims(spec: &mut Map<String, Value>) {
    let claims = spec.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut);
    for claim in claims.into_iter().flatten().filter_map(Value::as_object_mut) {
        claim.insert("apiVersion".to_owned(), json!("v1"));
        claim.insert("kind".to_owned(), json!("PersistentVolumeClaim"));
    }
}

/// A claim without phase is pending.
fn claim(mut claim: Value) -> Value {
    if let Some(status) = claim.get_mut("status").and_then(Value::as_object_mut) {
        status.entry("phase").or_insert(json!("Pending"));
    }
    claim
}

/// A job without labels has those of its pods.
fn job(mut job: Value) -> Value {
    let labels = job.pointer("/spec/template/metadata/labels").cloned();
    if let (Some(labels), Some(metadata)) = (labels, job.get_mut("metadata").and_then(Value::as_object_mut)) {
        metadata.entry("labels").or_insert(labels);
    }
    job
}
