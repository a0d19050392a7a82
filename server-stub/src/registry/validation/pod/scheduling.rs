//! The rules for tolerations, affinity and topology spread.

use kubewire_client::validation::{label_value, qualified_name};
use serde_json::{Value, json};

use crate::registry::validation::selector;
use crate::registry::validation::values::{broken, get, items, number, one_of, text};
use crate::status::FieldError;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// The rules for tolerations.
pub(super) fn tolerations(tolerations: &[Value], path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, toleration) in tolerations.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let (key, value) = (text(toleration, "/key"), text(toleration, "/value"));
        let (operator, effect) = (text(toleration, "/operator"), text(toleration, "/effect"));
        if !key.is_empty() {
            errors.extend(broken(&at("key"), key, qualified_name(key)));
        }
        if key.is_empty() && operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(at("operator"), json!(operator), detail));
        }
        if !get(toleration, "/tolerationSeconds").is_null() && effect != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(FieldError::invalid(at("effect"), json!(effect), detail));
        }
        match operator {
            "Equal" | "" => {
                let wrong = label_value(value);
                if !wrong.is_empty() {
                    errors.push(FieldError::invalid(at("operator"), json!(value), wrong.join(";")));
                }
            }
            "Exists" if !value.is_empty() => {
                let detail = "value must be empty when `operator` is 'Exists'";
                errors.push(FieldError::invalid(at("operator"), json!(value), detail));
            }
            "Exists" => {}
            other => errors.push(FieldError::not_supported(
                at("operator"),
                json!(other),
                &["Equal", "Exists"],
            )),
        }
        if !effect.is_empty() {
            errors.extend(one_of(&at("effect"), effect, &EFFECTS));
        }
    }
    errors
}

/// The rules for affinity.
pub(super) fn affinity(affinity: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = node_affinity(get(affinity, "/nodeAffinity"), &format!("{path}.nodeAffinity"));
    for kind in ["podAffinity", "podAntiAffinity"] {
        let rules = get(affinity, &format!("/{kind}"));
        let path = format!("{path}.{kind}");
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        for (index, term) in items(rules, &format!("/{required}")).iter().enumerate() {
            errors.extend(pod_affinity_term(term, &format!("{path}.{required}[{index}]")));
        }
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        for (index, weighted) in items(rules, &format!("/{preferred}")).iter().enumerate() {
            let path = format!("{path}.{preferred}[{index}]");
            errors.extend(weight(weighted, &path));
            errors.extend(pod_affinity_term(
                get(weighted, "/podAffinityTerm"),
                &format!("{path}.podAffinityTerm"),
            ));
        }
    }
    errors
}

fn node_affinity(affinity: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let required = get(affinity, "/requiredDuringSchedulingIgnoredDuringExecution");
    if required.is_object() {
        let path = format!("{path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
        let terms = items(required, "/nodeSelectorTerms");
        if terms.is_empty() {
            errors.push(FieldError::required(&path, "must have at least one node selector term"));
        }
        for (index, term) in terms.iter().enumerate() {
            errors.extend(node_selector_term(term, &format!("{path}[{index}]")));
        }
    }
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    for (index, weighted) in items(affinity, &format!("/{preferred}")).iter().enumerate() {
        let path = format!("{path}.{preferred}[{index}]");
        errors.extend(weight(weighted, &path));
        errors.extend(node_selector_term(
            get(weighted, "/preference"),
            &format!("{path}.preference"),
        ));
    }
    errors
}

fn node_selector_term(term: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, rule) in items(term, "/matchExpressions").iter().enumerate() {
        let at = |field: &str| format!("{path}.matchExpressions[{index}].{field}");
        let count = items(rule, "/values").len();
        match text(rule, "/operator") {
            "In" | "NotIn" if count == 0 => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(at("values"), detail));
            }
            "Exists" | "DoesNotExist" if count > 0 => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(at("values"), detail));
            }
            "Gt" | "Lt" if count != 1 => {
                let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.push(FieldError::required(at("values"), detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => {
                let detail = "not a valid selector operator";
                errors.push(FieldError::invalid(at("operator"), json!(other), detail));
            }
        }
        let key = text(rule, "/key");
        errors.extend(broken(&at("key"), key, qualified_name(key)));
    }
    errors
}

fn pod_affinity_term(term: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = selector::validate(get(term, "/labelSelector"), &format!("{path}.labelSelector"));
    let field = format!("{path}.topologyKey");
    match text(term, "/topologyKey") {
        "" => errors.push(FieldError::required(field, "can not be empty")),
        key => errors.extend(broken(&field, key, qualified_name(key))),
    }
    errors
}

fn weight(weighted: &Value, path: &str) -> Option<FieldError> {
    let weight = number(weighted, "/weight").unwrap_or_default();
    let detail = "must be in the range 1-100";
    (!(1..=100).contains(&weight)).then(|| FieldError::invalid(format!("{path}.weight"), json!(weight), detail))
}

/// The rules for topology spread constraints.
pub(super) fn topology_spread(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, constraint) in items(spec, "/topologySpreadConstraints").iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let skew = number(constraint, "/maxSkew").unwrap_or_default();
        if skew <= 0 {
            errors.push(FieldError::invalid(
                at("maxSkew"),
                json!(skew),
                "must be greater than zero",
            ));
        }
        match text(constraint, "/topologyKey") {
            "" => errors.push(FieldError::required(at("topologyKey"), "can not be empty")),
            key => errors.extend(broken(&at("topologyKey"), key, qualified_name(key))),
        }
        let action = text(constraint, "/whenUnsatisfiable");
        errors.extend(one_of(
            &at("whenUnsatisfiable"),
            action,
            &["DoNotSchedule", "ScheduleAnyway"],
        ));
        errors.extend(selector::validate(
            get(constraint, "/labelSelector"),
            &at("labelSelector"),
        ));
    }
    errors
}
