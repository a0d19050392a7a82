//! Jobs and cron jobs.

use serde_json::{Value, json};

use super::rules::Rules;
use crate::registry::strategy::GarbageCollection;
use crate::registry::validation::values::{flag, get, put, text};

pub(super) const JOB: Rules = Rules {
    create: |job, _| {
        if !flag(job, "/spec/manualSelector") {
            generate_selector(job);
        }
    },
    garbage_collection: GarbageCollection::Orphan,
    ..Rules::COUNTED
};

pub(super) const CRON_JOB: Rules = Rules { ..Rules::COUNTED };

/// A job selects the pods that carry its uid.
fn generate_selector(job: &mut Value) {
    let uid = json!(text(job, "/metadata/uid"));
    let name = json!(text(job, "/metadata/name"));
    let labels = [
        ("controller-uid", &uid),
        ("batch.kubernetes.io/controller-uid", &uid),
        ("job-name", &name),
        ("batch.kubernetes.io/job-name", &name),
    ];
    for (label, value) in labels {
        put(job, &["spec", "template", "metadata", "labels", label], value.clone());
    }
    if get(job, "/spec/selector").is_null() {
        put(job, &["spec", "selector"], json!({}));
    }
    put(
        job,
        &["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"],
        uid,
    );
}
