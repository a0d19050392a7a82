//! The rules for jobs and cron jobs: `k8s.io/kubernetes/pkg/apis/batch/validation`.

mod policies;
mod status;

use kubewire_client::validation::dns1123_label;
use serde_json::{Value, json};

use super::network::domain_prefixed_path;
use super::values::{flag, get, immutable, number, one_of, put, text};
use super::workloads::labels_not_selected;
use super::{cron, difference, pod, selector};
use crate::registry::batch_labels::{CONTROLLER_UID, JOB_NAME, LEGACY_CONTROLLER_UID, LEGACY_JOB_NAME};
use crate::status::FieldError;

const MAX_INDEXED: i64 = 100_000;
const MANY_COMPLETIONS: i64 = 100_000;
const MAX_WITH_MANY_COMPLETIONS: i64 = 10_000;
const MANAGED_BY_MAX: usize = 63;
/// A cron job's pods get a suffix of eleven characters.
const CRON_JOB_NAME_MAX: usize = 52;

/// The rules for a job.
pub(in crate::registry) fn job(object: &Value) -> Vec<FieldError> {
    let mut errors = generated_selector(object);
    let spec = get(object, "/spec");
    errors.extend(job_spec(spec, "spec"));
    let wanted = get(spec, "/selector");
    let mut wrong = selector::validate(wanted, "spec.selector");
    if wanted.is_null() {
        wrong.push(FieldError::required("spec.selector", ""));
    }
    let template = get(spec, "/template");
    if selector::validate(wanted, "").is_empty() && !selector::matches(wanted, get(template, "/metadata/labels")) {
        wrong.push(labels_not_selected(template, "spec.template"));
    }
    errors.extend(wrong);
    errors.extend(indexed_names(object));
    errors
}

pub(in crate::registry) use status::job_status;

/// The rules for a change of a job.
pub(in crate::registry) fn job_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = completions_update(new, old).into_iter().collect();
    errors.extend(super::workloads::selector_update(new, old));
    errors.extend(template_update(new, old));
    for (field, ty) in [
        ("completionMode", ""),
        ("podFailurePolicy", "PodFailurePolicy"),
        ("backoffLimitPerIndex", ""),
        ("managedBy", ""),
        ("successPolicy", "SuccessPolicy"),
    ] {
        let pointer = format!("/spec/{field}");
        let changed = immutable(new, old, &pointer);
        errors.extend(changed.map(|error| match ty {
            "" => error,
            ty => error.shown_as(difference::shown(ty, get(new, &pointer))),
        }));
    }
    errors
}

/// The rules for a cron job.
pub(in crate::registry) fn cron_job(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match text(object, "/spec/schedule") {
        "" => errors.push(FieldError::required("spec.schedule", "")),
        schedule => {
            let wrong = |detail: String| FieldError::invalid("spec.schedule", json!(schedule), detail);
            errors.extend(cron::check_schedule(schedule).err().map(wrong));
        }
    }
    errors.extend(not_negative_in(object, "startingDeadlineSeconds", "spec"));
    let policies = ["Allow", "Forbid", "Replace"];
    let policy = text(object, "/spec/concurrencyPolicy");
    errors.extend(one_of("spec.concurrencyPolicy", policy, &policies));
    let spec = get(object, "/spec/jobTemplate/spec");
    errors.extend(job_spec(spec, "spec.jobTemplate.spec"));
    let wanted = get(spec, "/selector");
    if !wanted.is_null() {
        let error = FieldError::invalid(
            "spec.jobTemplate.spec.selector",
            Value::Null,
            "`selector` will be auto-generated",
        );
        errors.push(error.shown_as(selector::shown(wanted)));
    }
    if flag(spec, "/manualSelector") {
        let field = "spec.jobTemplate.spec.manualSelector";
        errors.push(FieldError::not_supported(field, json!(true), &["nil", "false"]));
    }
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.extend(not_negative_in(object, field, "spec"));
    }
    errors
}

/// The rules for a new cron job, or for what changes in one.
pub(in crate::registry) fn cron_job_change(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let schedule = text(new, "/spec/schedule");
    let zone = get(new, "/spec/timeZone");
    if schedule.contains("TZ") {
        let detail = match text(old, "/spec/schedule").contains("TZ") {
            true if zone.is_null() => None,
            true => Some("cannot use both timeZone field and TZ or CRON_TZ in schedule"),
            false => Some("cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
        };
        errors.extend(detail.map(|detail| FieldError::invalid("spec.schedule", json!(schedule), detail)));
    }
    if let Some(name) = zone.as_str().filter(|_| zone != get(old, "/spec/timeZone")) {
        errors.extend(time_zone(name));
    }
    let name = text(new, "/metadata/name");
    if old.is_null() && name.len() > CRON_JOB_NAME_MAX {
        let detail = "must be no more than 52 characters";
        errors.push(FieldError::invalid("metadata.name", json!(name), detail));
    }
    errors
}

fn time_zone(name: &str) -> Vec<FieldError> {
    let wrong = |detail: String| FieldError::invalid("spec.timeZone", json!(name), detail);
    if name.is_empty() {
        return vec![wrong("timeZone must be nil or non-empty string".to_owned())];
    }
    let mut errors = Vec::new();
    if name.eq_ignore_ascii_case("local") {
        errors.push(wrong(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones".to_owned(),
        ));
    }
    if name != "Local" {
        errors.extend(cron::check_time_zone(name).err().map(wrong));
    }
    errors
}

/// The rules for what a job does, those for its selector left out.
fn job_spec(spec: &Value, path: &str) -> Vec<FieldError> {
    let counts = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    let whole = json!({ "spec": spec });
    let mut errors: Vec<FieldError> = counts
        .iter()
        .filter_map(|count| not_negative_in(&whole, count, path))
        .collect();
    let has = |field: &str| !get(spec, &format!("/{field}")).is_null();
    if has("maxFailedIndexes") && !has("backoffLimitPerIndex") {
        let detail = "when maxFailedIndexes is specified";
        errors.push(FieldError::required(format!("{path}.backoffLimitPerIndex"), detail));
    }
    if let Some(manager) = get(spec, "/managedBy").as_str() {
        errors.extend(managed_by(manager, &format!("{path}.managedBy")));
    }
    errors.extend(completion_mode(spec, path));
    errors.extend(policies::validate(spec, path));
    errors.extend(pod::validate_template(
        get(spec, "/template"),
        &format!("{path}.template"),
    ));
    errors.extend(restart_policy(spec, &format!("{path}.template.spec.restartPolicy")));
    errors
}

fn managed_by(manager: &str, field: &str) -> Vec<FieldError> {
    let mut errors = domain_prefixed_path(field, manager);
    if manager.len() > MANAGED_BY_MAX {
        errors.push(FieldError::too_long(field, MANAGED_BY_MAX));
    }
    errors
}

fn completion_mode(spec: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let count = |field: &str| number(spec, &format!("/{field}"));
    let mut errors = Vec::new();
    let mode = get(spec, "/completionMode").as_str();
    if let Some(mode) = mode {
        errors.extend(one_of(&at("completionMode"), mode, &["NonIndexed", "Indexed"]));
    }
    let at_most = |field: &str, max: i64, rest: &str| {
        let value = count(field).filter(|value| *value > max)?;
        let detail = format!("must be less than or equal to {max}{rest}");
        Some(FieldError::invalid(at(field), json!(value), detail))
    };
    if mode == Some("Indexed") {
        let completions = count("completions");
        if completions.is_none() {
            errors.push(FieldError::required(
                at("completions"),
                "when completion mode is Indexed",
            ));
        }
        errors.extend(at_most("parallelism", MAX_INDEXED, " when completion mode is Indexed"));
        if let (Some(failed), Some(all)) = (count("maxFailedIndexes"), completions)
            && failed > all
        {
            let detail = "must be less than or equal to completions";
            errors.push(FieldError::invalid(at("maxFailedIndexes"), json!(failed), detail));
        }
        errors.extend(at_most("maxFailedIndexes", MAX_INDEXED, ""));
        if completions.is_some_and(|all| all > MANY_COMPLETIONS) && count("backoffLimitPerIndex").is_some() {
            if count("maxFailedIndexes").is_none() {
                let detail = format!("must be specified when completions is above {MANY_COMPLETIONS}");
                errors.push(FieldError::required(at("maxFailedIndexes"), detail));
            }
            let rest = format!(" when completions are above {MANY_COMPLETIONS} and used with backoff limit per index");
            for field in ["parallelism", "maxFailedIndexes"] {
                errors.extend(at_most(field, MAX_WITH_MANY_COMPLETIONS, &rest));
            }
        }
    }
    if mode.is_none_or(|mode| mode == "NonIndexed") {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            let value = count(field).map(|value| json!(value));
            errors.extend(value.map(|value| FieldError::invalid(at(field), value, "requires indexed completion mode")));
        }
    }
    errors
}

fn restart_policy(spec: &Value, field: &str) -> Option<FieldError> {
    match text(spec, "/template/spec/restartPolicy") {
        "" | "Always" => Some(FieldError::required(field, "valid values: \"OnFailure\", \"Never\"")),
        "OnFailure" if !get(spec, "/podFailurePolicy").is_null() => {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified";
            Some(FieldError::invalid(field, json!("OnFailure"), detail))
        }
        policy => one_of(field, policy, &["OnFailure", "Never"]),
    }
}

/// A job that does not choose its selector has the generated one, and its pods the labels for it.
fn generated_selector(object: &Value) -> Vec<FieldError> {
    let wanted = get(object, "/spec/selector");
    let is_new = get(object, "/metadata/resourceVersion").is_null();
    if !is_new || flag(object, "/spec/manualSelector") || wanted.is_null() {
        return Vec::new();
    }
    let uid = get(object, "/metadata/uid");
    let name = get(object, "/metadata/name");
    let labels = get(object, "/spec/template/metadata/labels");
    let mut errors = Vec::new();
    let mut expected = json!({});
    for (label, value) in [
        (LEGACY_CONTROLLER_UID, uid),
        (LEGACY_JOB_NAME, name),
        (CONTROLLER_UID, uid),
        (JOB_NAME, name),
    ] {
        put(&mut expected, &[label], value.clone());
        let field = format!("spec.template.metadata.labels[{label}]");
        let detail = format!("must be '{}'", value.as_str().unwrap_or_default());
        match labels.get(label) {
            None => errors.push(FieldError::required(field, detail)),
            Some(actual) if actual != value => errors.push(FieldError::invalid(field, labels.clone(), detail)),
            Some(_) => {}
        }
    }
    if selector::validate(wanted, "").is_empty() && !selector::matches(wanted, &expected) {
        let error = FieldError::invalid("spec.selector", Value::Null, "`selector` not auto-generated");
        errors.push(error.shown_as(selector::shown(wanted)));
    }
    errors
}

/// Each pod of an indexed job is named after the job and its index.
fn indexed_names(object: &Value) -> Option<FieldError> {
    let completions = number(object, "/spec/completions").filter(|count| *count > 0)?;
    let name = text(object, "/metadata/name");
    let longest = format!("{name}-{}", completions - 1);
    let wrong = text(object, "/spec/completionMode") == "Indexed" && !dns1123_label(&longest).is_empty();
    wrong.then(|| {
        let detail = format!("will not able to create pod with invalid DNS label: {longest}");
        FieldError::invalid("metadata.name", json!(name), detail)
    })
}

fn completions_update(new: &Value, old: &Value) -> Option<FieldError> {
    if text(new, "/spec/completionMode") != "Indexed" {
        return immutable(new, old, "/spec/completions");
    }
    let (wanted, parallelism) = (get(new, "/spec/completions"), get(new, "/spec/parallelism"));
    if wanted.is_null() || wanted == get(old, "/spec/completions") || wanted == parallelism {
        return None;
    }
    let detail = "can only be modified in tandem with spec.parallelism";
    Some(FieldError::invalid("spec.completions", wanted.clone(), detail))
}

/// The template stays, but where a suspended job that has no pods lets it be placed elsewhere, or sized differently.
fn template_update(new: &Value, old: &Value) -> Option<FieldError> {
    let mut allowed = get(old, "/spec/template").clone();
    let wanted = get(new, "/spec/template");
    let active = number(old, "/status/active").unwrap_or_default();
    if flag(old, "/spec/suspend") && active == 0 && may_change_while_suspended(old) {
        for path in [
            &["spec", "nodeSelector"][..],
            &["spec", "tolerations"],
            &["spec", "schedulingGates"],
            &["spec", "affinity", "nodeAffinity"],
            &["metadata", "annotations"],
            &["metadata", "labels"],
        ] {
            take(&mut allowed, wanted, path);
        }
        for list in ["containers", "initContainers"] {
            let count = super::values::items(wanted, &format!("/spec/{list}")).len();
            for index in 0..count {
                let pointer = format!("/spec/{list}/{index}");
                if let Some(container) = allowed.pointer_mut(&pointer) {
                    take(container, get(wanted, &pointer), &["resources"]);
                }
            }
        }
    }
    (allowed != *wanted).then(|| {
        let shown = difference::shown("PodTemplateSpec", wanted);
        FieldError::invalid("spec.template", Value::Null, "field is immutable").shown_as(shown)
    })
}

fn may_change_while_suspended(job: &Value) -> bool {
    let suspended = super::values::items(job, "/status/conditions")
        .iter()
        .any(|condition| text(condition, "/type") == "Suspended" && text(condition, "/status") == "True");
    suspended || get(job, "/status/startTime").is_null()
}

/// Makes a field what it is in another object.
fn take(object: &mut Value, from: &Value, path: &[&str]) {
    let pointer = format!("/{}", path.join("/"));
    match get(from, &pointer) {
        Value::Null => {
            if let Some((last, parents)) = path.split_last() {
                let parent: String = parents.iter().map(|name| format!("/{name}")).collect();
                super::values::remove(object, &parent, last);
            }
        }
        value => put(object, path, value.clone()),
    }
}

fn not_negative_in(object: &Value, field: &str, path: &str) -> Option<FieldError> {
    let value = number(object, &format!("/spec/{field}"))?;
    super::metadata::not_negative(&format!("{path}.{field}"), value)
}

#[cfg(test)]
mod tests;
