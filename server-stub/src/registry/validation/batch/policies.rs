//! When a job counts as failed or as done.

use kubewire_client::validation::qualified_name;
use serde_json::{Value, json};

use crate::registry::validation::indexes;
use crate::registry::validation::metadata::not_negative;
use crate::registry::validation::values::{broken, get, items, number, one_of, text};
use crate::status::FieldError;

const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const PATTERNS_MAX: usize = 20;
const INDEXES_MAX: usize = 64 * 1024;

/// The rules for the policies of a job's spec.
pub(super) fn validate(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let failure = get(spec, "/podFailurePolicy");
    if !failure.is_null() {
        errors.extend(failure_policy(spec, &format!("{path}.podFailurePolicy.rules")));
    }
    let success = get(spec, "/successPolicy");
    if !success.is_null() {
        let field = format!("{path}.successPolicy");
        match text(spec, "/completionMode") {
            "Indexed" => errors.extend(success_policy(spec, &format!("{field}.rules"))),
            _ => {
                let rules = |rule: &Value| {
                    let (indexes, count) = (get(rule, "/succeededIndexes"), get(rule, "/succeededCount"));
                    format!(r#"{{"SucceededIndexes":{indexes},"SucceededCount":{count}}}"#)
                };
                let rules: Vec<String> = items(success, "/rules").iter().map(rules).collect();
                let shown = match rules.is_empty() {
                    true => "null".to_owned(),
                    false => format!("[{}]", rules.join(",")),
                };
                let error = FieldError::invalid(field, Value::Null, "requires indexed completion mode");
                errors.push(error.shown_as(format!(r#"{{"Rules":{shown}}}"#)));
            }
        }
    }
    if let Some(policy) = get(spec, "/podReplacementPolicy").as_str() {
        let supported: &[&str] = match failure.is_null() {
            true => &["Failed", "TerminatingOrFailed"],
            false => &["Failed"],
        };
        errors.extend(one_of(&format!("{path}.podReplacementPolicy"), policy, supported));
    }
    errors
}

fn failure_policy(spec: &Value, path: &str) -> Vec<FieldError> {
    let rules = items(spec, "/podFailurePolicy/rules");
    let mut errors: Vec<FieldError> = too_many(path, rules, RULES_MAX).into_iter().collect();
    for (index, rule) in rules.iter().enumerate() {
        errors.extend(failure_rule(spec, rule, &format!("{path}[{index}]")));
    }
    errors
}

fn failure_rule(spec: &Value, rule: &Value, path: &str) -> Vec<FieldError> {
    let field = format!("{path}.action");
    let mut errors = Vec::new();
    match text(rule, "/action") {
        "" => errors.push(FieldError::required(
            field,
            "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]",
        )),
        "FailIndex" if get(spec, "/backoffLimitPerIndex").is_null() => {
            let detail = "requires the backoffLimitPerIndex to be set";
            errors.push(FieldError::invalid(field, json!("FailIndex"), detail));
        }
        action => errors.extend(one_of(&field, action, &["Count", "FailIndex", "FailJob", "Ignore"])),
    }
    let (codes, conditions) = (get(rule, "/onExitCodes"), items(rule, "/onPodConditions"));
    if !codes.is_null() {
        errors.extend(exit_codes(spec, codes, &format!("{path}.onExitCodes")));
    }
    errors.extend(pod_conditions(conditions, &format!("{path}.onPodConditions")));
    let wrong = match (codes.is_null(), conditions.is_empty()) {
        (false, false) => Some("specifying both OnExitCodes and OnPodConditions is not supported"),
        (true, true) => Some("specifying one of OnExitCodes and OnPodConditions is required"),
        _ => None,
    };
    errors.extend(wrong.map(|detail| FieldError::invalid(path, Value::Null, detail).without_value()));
    errors
}

fn exit_codes(spec: &Value, codes: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let operator = text(codes, "/operator");
    let field = format!("{path}.operator");
    match operator {
        "" => errors.push(FieldError::required(field, "valid values: [\"In\" \"NotIn\"]")),
        _ => errors.extend(one_of(&field, operator, &["In", "NotIn"])),
    }
    if let Some(name) = get(codes, "/containerName").as_str() {
        let containers = ["containers", "initContainers"].map(|list| items(spec, &format!("/template/spec/{list}")));
        let known = containers
            .iter()
            .any(|list| list.iter().any(|container| text(container, "/name") == name));
        if !known {
            let detail = "must be one of the container or initContainer names in the pod template";
            errors.push(FieldError::invalid(
                format!("{path}.containerName"),
                json!(name),
                detail,
            ));
        }
    }
    let field = format!("{path}.values");
    let values = items(codes, "/values");
    if values.is_empty() {
        let shown = get(codes, "/values").clone();
        errors.push(FieldError::invalid(&*field, shown, "at least one value is required"));
    }
    errors.extend(too_many(&field, values, EXIT_CODES_MAX));
    for (index, value) in values.iter().enumerate() {
        let at = format!("{field}[{index}]");
        if operator == "In" && value.as_i64() == Some(0) {
            let detail = "must not be 0 for the In operator";
            errors.push(FieldError::invalid(&*at, value.clone(), detail));
        }
        if values.iter().take(index).any(|earlier| earlier == value) {
            errors.push(FieldError::duplicate(at, value.clone()));
        }
    }
    if !values.is_sorted_by_key(|value| value.as_i64()) {
        errors.push(FieldError::invalid(field, json!(values), "must be ordered"));
    }
    errors
}

fn pod_conditions(patterns: &[Value], path: &str) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = too_many(path, patterns, PATTERNS_MAX).into_iter().collect();
    for (index, pattern) in patterns.iter().enumerate() {
        let kind = text(pattern, "/type");
        errors.extend(broken(&format!("{path}[{index}].type"), kind, qualified_name(kind)));
        let field = format!("{path}[{index}].status");
        match text(pattern, "/status") {
            "" => errors.push(FieldError::required(
                field,
                "valid values: [\"False\" \"True\" \"Unknown\"]",
            )),
            status => errors.extend(one_of(&field, status, &["False", "True", "Unknown"])),
        }
    }
    errors
}

fn success_policy(spec: &Value, path: &str) -> Vec<FieldError> {
    let rules = items(spec, "/successPolicy/rules");
    let mut errors: Vec<FieldError> = too_many(path, rules, RULES_MAX).into_iter().collect();
    if rules.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(path, detail));
    }
    let completions = number(spec, "/completions").unwrap_or_default();
    for (index, rule) in rules.iter().enumerate() {
        errors.extend(success_rule(rule, completions, &format!("{path}[{index}]")));
    }
    errors
}

fn success_rule(rule: &Value, completions: i64, path: &str) -> Vec<FieldError> {
    let indexes = get(rule, "/succeededIndexes").as_str();
    let wanted = number(rule, "/succeededCount");
    let mut errors = Vec::new();
    if indexes.is_none() && wanted.is_none() {
        let detail = "at least one of succeededCount or succeededIndexes must be specified";
        errors.push(FieldError::required(path, detail));
    }
    let mut total = 0;
    if let Some(list) = indexes {
        let field = format!("{path}.succeededIndexes");
        if list.len() > INDEXES_MAX {
            errors.push(FieldError::too_long(&*field, INDEXES_MAX));
        }
        match indexes::count(list, completions) {
            Ok(count) => total = count,
            Err(error) => {
                let detail = format!("error parsing succeededIndexes: {error}");
                errors.push(FieldError::invalid(field, json!(list), detail));
            }
        }
    }
    if let Some(wanted) = wanted {
        let field = format!("{path}.succeededCount");
        errors.extend(not_negative(&field, wanted));
        let mut at_most = |max: i64, what: &str| {
            let detail = format!("must be less than or equal to {max} (the number of {what})");
            errors.extend((wanted > max).then(|| FieldError::invalid(&*field, json!(wanted), detail)));
        };
        at_most(completions, "specified completions");
        if indexes.is_some() {
            at_most(total, "indexes in the specified succeededIndexes field");
        }
    }
    errors
}

fn too_many(field: &str, list: &[Value], max: usize) -> Option<FieldError> {
    (list.len() > max).then(|| FieldError::too_many(field, list.len(), max))
}
