//! Jobs and cron jobs.

use serde_json::{Map, Value, json};

use super::rules::Rules;
use super::workloads::named_template_warnings;
use crate::registry::batch_labels::{CONTROLLER_UID, JOB_NAME, LEGACY_CONTROLLER_UID, LEGACY_JOB_NAME};
use crate::registry::strategy::GarbageCollection;
use crate::registry::validation::batch;
use crate::registry::validation::pod;
use crate::registry::validation::values::{flag, get, items, put, text};

pub(super) const JOB: Rules = Rules {
    unknown_field: |field, _| format!("field label {field:?} not supported for Job"),
    create: |job, _| {
        let labels = get(job, "/spec/template/metadata/labels").clone();
        if !flag(job, "/spec/manualSelector") {
            generate_selector(job);
        }
        label_as_pods(job, &labels);
    },
    warnings: named_template_warnings,
    validate: batch::job,
    validate_update: batch::job_update,
    validate_status: batch::job_status,
    garbage_collection: GarbageCollection::Orphan,
    default_deletion_warning: Some(
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or \
         set propagationPolicy=Orphan to suppress this warning",
    ),
    ..Rules::COUNTED
};

pub(super) const CRON_JOB: Rules = Rules {
    warnings: |cron_job, old| match old {
        None => pod::template_warnings(
            get(cron_job, "/spec/jobTemplate/spec/template"),
            "spec.jobTemplate.spec.template.",
        ),
        Some(_) => Vec::new(),
    },
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

/// A job without labels has those of its pods, also the generated ones; its creator owns those of the template.
fn label_as_pods(job: &mut Value, owned: &Value) {
    let own = get(job, "/metadata/labels").as_object();
    if own.is_some_and(|labels| !labels.is_empty()) || owned.as_object().is_none_or(Map::is_empty) {
        return;
    }
    let labels = get(job, "/spec/template/metadata/labels").clone();
    put(job, &["metadata", "labels"], labels);
    let names = owned.as_object().into_iter().flatten();
    let mut fields: Map<String, Value> = names.map(|(name, _)| (format!("f:{name}"), json!({}))).collect();
    fields.insert(".".to_owned(), json!({}));
    for index in 0..items(job, "/metadata/managedFields").len() {
        if let Some(entry) = job.pointer_mut(&format!("/metadata/managedFields/{index}/fieldsV1")) {
            put(entry, &["f:metadata", "f:labels"], Value::Object(fields.clone()));
        }
    }
}

/// Puts a value where there is none.
fn put_new(object: &mut Value, path: &[&str], value: &Value) {
    let present = path.iter().try_fold(&*object, |object, name| object.get(name));
    if present.is_none_or(Value::is_null) {
        put(object, path, value.clone());
    }
}
