//! Kinds of which kube-apiserver stores objects before the last defaults: those come when an object is read.

use serde_json::{Value, json};

use super::Conversion;

pub(super) const CLAIM: Conversion = Conversion {
    from_storage: claim,
    to_storage: |claim| claim,
};

pub(super) const JOB: Conversion = Conversion {
    from_storage: job,
    to_storage: |job| job,
};

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
