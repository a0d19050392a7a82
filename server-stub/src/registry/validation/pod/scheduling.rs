//! The rules for tolerations, affinity and topology spread.

use kubewire_client::validation::{dns1123_label, dns1123_subdomain, label_value, qualified_name};
use serde_json::{Value, json};

use crate::registry::validation::selector;
use crate::registry::validation::values::{broken, get, items, number, one_of, text, texts};
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
            other => {
                // The two comparisons have to be switched on.
                let known: &[&str] = match other {
                    "Lt" | "Gt" => &["Equal", "Exists", "Lt", "Gt"],
                    _ => &["Equal", "Exists"],
                };
                errors.push(FieldError::not_supported(at("operator"), json!(other), known));
            }
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
        let path = format!("{path}.requiredDuringSchedulingIgnoredDuringExecution");
        errors.extend(node_selector(required, &path));
    }
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    for (index, weighted) in items(affinity, &format!("/{preferred}")).iter().enumerate() {
        let path = format!("{path}.{preferred}[{index}]");
        errors.extend(weight(weighted, &path));
        let path = format!("{path}.preference");
        errors.extend(node_selector_term(get(weighted, "/preference"), false, &path));
    }
    errors
}

/// The rules for what selects nodes.
pub(in crate::registry::validation) fn node_selector(selector: &Value, path: &str) -> Vec<FieldError> {
    let path = format!("{path}.nodeSelectorTerms");
    let terms = items(selector, "/nodeSelectorTerms");
    let mut errors = Vec::new();
    if terms.is_empty() {
        errors.push(FieldError::required(&path, "must have at least one node selector term"));
    }
    for (index, term) in terms.iter().enumerate() {
        errors.extend(node_selector_term(term, true, &format!("{path}[{index}]")));
    }
    errors
}

/// Only what is required must have values that labels can have.
fn node_selector_term(term: &Value, required: bool, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, rule) in items(term, "/matchExpressions").iter().enumerate() {
        let at = |field: &str| format!("{path}.matchExpressions[{index}].{field}");
        let values = texts(rule, "/values");
        match text(rule, "/operator") {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(at("values"), detail));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(at("values"), detail));
            }
            "Gt" | "Lt" if values.len() != 1 => {
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
        for (index, value) in values.into_iter().enumerate().filter(|_| required) {
            errors.extend(broken(&at(&format!("values[{index}]")), value, label_value(value)));
        }
    }
    for (index, rule) in items(term, "/matchFields").iter().enumerate() {
        errors.extend(node_field(rule, &format!("{path}.matchFields[{index}]")));
    }
    errors
}

/// A rule about a field of the node; there is one only.
fn node_field(rule: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let values = texts(rule, "/values");
    match text(rule, "/operator") {
        "In" | "NotIn" if values.len() != 1 => {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.push(FieldError::required(format!("{path}.values"), detail));
        }
        "In" | "NotIn" => {}
        other => {
            let detail = "not a valid selector operator";
            errors.push(FieldError::invalid(format!("{path}.operator"), json!(other), detail));
        }
    }
    match text(rule, "/key") {
        "metadata.name" => {
            for (index, value) in values.into_iter().enumerate() {
                let field = format!("{path}.values[{index}]");
                errors.extend(broken(&field, value, dns1123_subdomain(value)));
            }
        }
        other => {
            let detail = "not a valid field selector key";
            errors.push(FieldError::invalid(format!("{path}.key"), json!(other), detail));
        }
    }
    errors
}

fn pod_affinity_term(term: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    for field in ["labelSelector", "namespaceSelector"] {
        errors.extend(selector::validate(get(term, &format!("/{field}")), &at(field)));
    }
    for namespace in texts(term, "/namespaces") {
        // Upstream's name for it.
        errors.extend(broken(&at("namespace"), namespace, dns1123_label(namespace)));
    }
    let key = text(term, "/topologyKey");
    if key.is_empty() {
        errors.push(FieldError::required(at("topologyKey"), "can not be empty"));
    }
    errors.extend(broken(&at("topologyKey"), key, qualified_name(key)));
    for field in ["matchLabelKeys", "mismatchLabelKeys"] {
        errors.extend(label_keys(term, field, path));
    }
    errors
}

/// Labels of the pod itself that are part of the selector.
fn label_keys(term: &Value, field: &str, path: &str) -> Vec<FieldError> {
    let keys = texts(term, &format!("/{field}"));
    let mut errors = Vec::new();
    if keys.is_empty() {
        return errors;
    }
    let selector = get(term, "/labelSelector");
    if selector.is_null() {
        let detail = "must not be specified when labelSelector is not set";
        errors.push(FieldError::forbidden(format!("{path}.{field}"), detail));
    }
    for (index, key) in keys.into_iter().enumerate() {
        let field = format!("{path}.{field}[{index}]");
        errors.extend(broken(&field, key, qualified_name(key)));
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
    let constraints = items(spec, "/topologySpreadConstraints");
    for (index, constraint) in constraints.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let skew = number(constraint, "/maxSkew").unwrap_or_default();
        let positive = |field: &str, value: i64| {
            let wrong = FieldError::invalid(at(field), json!(value), "must be greater than zero");
            (value <= 0).then_some(wrong)
        };
        errors.extend(positive("maxSkew", skew));
        let key = text(constraint, "/topologyKey");
        if key.is_empty() {
            errors.push(FieldError::required(at("topologyKey"), "can not be empty"));
        }
        let action = text(constraint, "/whenUnsatisfiable");
        errors.extend(one_of(
            &at("whenUnsatisfiable"),
            action,
            &["DoNotSchedule", "ScheduleAnyway"],
        ));
        // The first one is told, not the second.
        let same = |other: &Value| text(other, "/topologyKey") == key && text(other, "/whenUnsatisfiable") == action;
        if constraints.iter().skip(index + 1).any(same) {
            let shown = format!("{{{key}, {action}}}");
            errors.push(FieldError::duplicate(
                at("{topologyKey, whenUnsatisfiable}"),
                json!(shown),
            ));
        }
        if let Some(domains) = number(constraint, "/minDomains") {
            errors.extend(positive("minDomains", domains));
            if action != "DoNotSchedule" {
                let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
                errors.push(FieldError::invalid(at("minDomains"), json!(domains), detail));
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(policy) = get(constraint, &format!("/{field}")).as_str() {
                errors.extend(one_of(&at(field), policy, &["Honor", "Ignore"]));
            }
        }
        errors.extend(label_keys(constraint, "matchLabelKeys", &format!("{path}[{index}]")));
        errors.extend(selector::validate(
            get(constraint, "/labelSelector"),
            &at("labelSelector"),
        ));
    }
    errors
}
