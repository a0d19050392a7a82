//! The rules for what controllers say about a job.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::registry::validation::indexes;
use crate::registry::validation::values::{get, items, number, text, texts};
use crate::registry::validation::workloads;
use crate::status::FieldError;

/// The rules for a change of a job's status.
pub(in crate::registry) fn job_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let counts = ["active", "succeeded", "failed", "ready", "terminating"];
    let mut errors = workloads::counters(new, &counts, &[]);
    let count = |job: &Value, field: &str| number(job, &format!("/status/{field}")).unwrap_or_default();
    if let Some(ready) = number(new, "/status/ready").filter(|ready| *ready > count(new, "active")) {
        let detail = "cannot set more ready pods than active";
        errors.push(FieldError::invalid("status.ready", json!(ready), detail));
    }
    errors.extend(uncounted_pods(new));
    if get(new, "/status") == get(old, "/status") {
        return errors;
    }
    for field in ["succeeded", "failed"] {
        if count(new, field) < count(old, field) {
            let detail = format!("cannot decrease the {field} counter");
            errors.push(FieldError::invalid(
                format!("status.{field}"),
                json!(count(new, field)),
                detail,
            ));
        }
    }
    errors.extend(conditions(new));
    errors.extend(indexes_of(new));
    errors
}

/// Pods that ended and are not yet counted, each once.
fn uncounted_pods(job: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut known = HashSet::new();
    for field in ["succeeded", "failed"] {
        let pods = texts(job, &format!("/status/uncountedTerminatedPods/{field}"));
        for (index, pod) in pods.into_iter().enumerate() {
            let field = format!("status.uncountedTerminatedPods.{field}[{index}]");
            if pod.is_empty() {
                errors.push(FieldError::invalid(field, json!(""), "must not be empty"));
            } else if !known.insert(pod) {
                errors.push(FieldError::duplicate(field, json!(pod)));
            }
        }
    }
    errors
}

/// What goes with a job that has ended.
fn conditions(job: &Value) -> Vec<FieldError> {
    let is = |kind: &str| {
        let mut conditions = items(job, "/status/conditions").iter();
        conditions.any(|condition| text(condition, "/type") == kind && text(condition, "/status") == "True")
    };
    let mut errors = Vec::new();
    let contradiction = |detail: &str| FieldError::invalid("status.conditions", Value::Null, detail).without_value();
    let (complete, failed) = (is("Complete"), is("Failed"));
    if complete && failed {
        errors.push(contradiction("cannot set Complete=True and Failed=true conditions"));
    }
    if complete && !is("SuccessCriteriaMet") {
        errors.push(contradiction(
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ));
        if !get(job, "/spec/successPolicy").is_null() {
            errors.push(contradiction(
                "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
            ));
        }
    }
    if failed && !is("FailureTarget") {
        errors.push(contradiction(
            "cannot set Failed=True condition without the FailureTarget=true condition",
        ));
    }
    let ended = get(job, "/status/completionTime");
    match (complete, ended.is_null()) {
        (true, true) => {
            let detail = "completionTime is required for Complete jobs";
            errors.push(FieldError::required("status.completionTime", detail));
        }
        (false, false) => {
            let detail = "cannot set completionTime when there is no Complete=True condition";
            errors.push(FieldError::invalid("status.completionTime", ended.clone(), detail));
        }
        _ => {}
    }
    if complete || failed {
        errors.extend(leftovers(job));
    }
    errors
}

/// What a job that has ended no longer has.
fn leftovers(job: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["active", "terminating"] {
        let count = number(job, &format!("/status/{field}")).unwrap_or_default();
        if count > 0 {
            let detail = format!("{field}>0 is invalid for finished job");
            errors.push(FieldError::invalid(format!("status.{field}"), json!(count), detail));
        }
    }
    let uncounted = get(job, "/status/uncountedTerminatedPods");
    let list = |field: &str| texts(uncounted, &format!("/{field}"));
    if !list("succeeded").is_empty() || !list("failed").is_empty() {
        let shown = |field: &str| match list(field) {
            pods if pods.is_empty() => "null".to_owned(),
            pods => json!(pods).to_string(),
        };
        let shown = format!(r#"{{"Succeeded":{},"Failed":{}}}"#, shown("succeeded"), shown("failed"));
        let field = "status.uncountedTerminatedPods";
        let error = FieldError::invalid(field, Value::Null, "must be empty for finished job");
        errors.push(error.shown_as(shown));
    }
    errors
}

/// The indexes that are through.
fn indexes_of(job: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let completions = number(job, "/spec/completions").unwrap_or_default();
    let mut check = |field: &str, list: &str, allowed: bool, not_allowed: &str| {
        let detail = match indexes::count(list, completions) {
            _ if !allowed => not_allowed.to_owned(),
            Ok(_) => return,
            Err(error) => format!("error parsing {field}: {error}"),
        };
        errors.push(FieldError::invalid(format!("status.{field}"), json!(list), detail));
    };
    let completed = text(job, "/status/completedIndexes");
    if !completed.is_empty() {
        let indexed = text(job, "/spec/completionMode") == "Indexed";
        let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
        check("completedIndexes", completed, indexed, detail);
    }
    if let Some(failed) = get(job, "/status/failedIndexes").as_str() {
        let limited = !get(job, "/spec/backoffLimitPerIndex").is_null();
        let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        check("failedIndexes", failed, limited, detail);
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    fn job(status: Value) -> Value {
        json!({ "spec": { "completions": 2 }, "status": status })
    }

    #[test]
    fn counters() {
        let old = job(json!({ "succeeded": 1 }));
        assert_eq!(
            told(job_status(&job(json!({ "active": 1, "ready": 2 })), &old)),
            [
                "status.ready: Invalid value: 2: cannot set more ready pods than active",
                "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter",
            ]
        );
        let negative = job(json!({ "active": -1 }));
        assert_eq!(
            told(job_status(&negative, &negative)),
            ["status.active: Invalid value: -1: must be greater than or equal to 0"]
        );
        let twice = json!({ "uncountedTerminatedPods": { "succeeded": ["a", ""], "failed": ["a"] } });
        assert_eq!(
            told(job_status(&job(twice.clone()), &job(twice))),
            [
                "status.uncountedTerminatedPods.succeeded[1]: Invalid value: \"\": must not be empty",
                "status.uncountedTerminatedPods.failed[0]: Duplicate value: \"a\"",
            ]
        );
    }

    #[test]
    fn the_end() {
        let complete = json!([
            { "type": "SuccessCriteriaMet", "status": "True" }, { "type": "Complete", "status": "True" },
        ]);
        let done = job(json!({ "conditions": complete, "completionTime": "2026-01-01T00:00:00Z" }));
        assert_eq!(told(job_status(&done, &job(Value::Null))), Vec::<String>::new());
        let early = job(json!({ "conditions": [{ "type": "Complete", "status": "True" }], "active": 1 }));
        assert_eq!(
            told(job_status(&early, &job(Value::Null))),
            [
                "status.conditions: Invalid value: cannot set Complete=True condition without the \
                 SuccessCriteriaMet=true condition",
                "status.completionTime: Required value: completionTime is required for Complete jobs",
                "status.active: Invalid value: 1: active>0 is invalid for finished job",
            ]
        );
        let indexes = job(json!({ "completedIndexes": "0" }));
        assert_eq!(
            told(job_status(&indexes, &job(Value::Null))),
            [
                "status.completedIndexes: Invalid value: \"0\": cannot set non-empty completedIndexes when non-indexed \
              completion mode"
            ]
        );
    }
}
