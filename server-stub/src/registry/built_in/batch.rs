//! Jobs and cron jobs.

use serde_json::{Value, json};

use super::rules::Rules;
use super::workloads::named_template_warnings;
use crate::registry::batch_labels::{CONTROLLER_UID, JOB_NAME, LEGACY_CONTROLLER_UID, LEGACY_JOB_NAME};
use crate::registry::strategy::GarbageCollection;
use crate::registry::validation::batch;
use crate::registry::validation::values::{flag, get, put, text};
use crate::registry::validation::workloads;

pub(super) const JOB: Rules = Rules {
    unknown_field: |field, _| format!("field label {field:?} not supported for Job"),
    create: |job, _| {
        if !flag(job, "/spec/manualSelector") {
            generate_selector(job);
        }
    },
    warnings: named_template_warnings,
    validate: batch::job,
    validate_update: batch::job_update,
    validate_status: |new, _| {
        let fields = ["active", "succeeded", "failed", "ready", "terminating"];
        workloads::counters(new, &fields, &[])
    },
    garbage_collection: GarbageCollection::Orphan,
    default_deletion_warning: Some(
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or \
         set propagationPolicy=Orphan to suppress this warning",
    ),
    ..Rules::COUNTED
};

pub(super) const CRON_JOB: Rules = Rules {
    validate: |cron_job| {
        let mut errors = batch::cron_job(cron_job);
        if get(cron_job, "/metadata/resourceVersion").is_null() {
            errors.extend(batch::cron_job_change(cron_job, &Value::Null));
        }
        errors
    },
    validate_update: batch::cron_job_change,
    ..Rules::COUNTED
};

/// A job selects the pods that carry its uid.
fn generate_selector(job: &mut Value) {
    let uid = json!(text(job, "/metadata/uid"));
    let name = json!(text(job, "/metadata/name"));
    let labels = [
        (LEGACY_JOB_NAME, &name),
        (JOB_NAME, &name),
        (LEGACY_CONTROLLER_UID, &uid),
        (CONTROLLER_UID, &uid),
    ];
    for (label, value) in labels {
        put_new(job, &["spec", "template", "metadata", "labels", label], value);
    }
    put_new(job, &["spec", "selector", "matchLabels", CONTROLLER_UID], &uid);
}

/// Puts a value where there is none.
fn put_new(object: &mut Value, path: &[&str], value: &Value) {
    let present = path.iter().try_fold(&*object, |object, name| object.get(name));
    if present.is_none_or(Value::is_null) {
        put(object, path, value.clone());
    }
}
