//! The rules for what containers and pods need.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::field_error::FieldErrorKind;
use crate::registry::quantity::nanos;
use crate::registry::validation::resource_names::{self, is_huge, is_native};
use crate::registry::validation::values::{entries, get, items, text};
use crate::status::FieldError;

const ONE: i128 = 1_000_000_000;

/// The rules for the resources of a container.
pub(super) fn of_container(resources: &Value, claims: &HashSet<&str>, path: &str) -> Vec<FieldError> {
    requirements(resources, claims, path, resource_names::of_container)
}

/// The rules for the resources of a whole pod.
pub(super) fn of_pod(resources: &Value, claims: &HashSet<&str>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !items(resources, "/claims").is_empty() {
        let detail = "claims may not be set for Resources at pod-level";
        errors.push(FieldError::forbidden(format!("{path}.claims"), detail));
    }
    errors.extend(requirements(resources, claims, path, name_of_pod));
    errors
}

/// The rules for the name of a resource that a whole pod has.
fn name_of_pod(name: &str, field: &str) -> Vec<FieldError> {
    let errors = resource_names::validate(name, field);
    if errors.is_empty() && !["cpu", "memory"].contains(&name) && !is_huge(name) {
        let supported = ["cpu", "hugepages-", "memory"];
        return vec![FieldError::not_supported(field, json!(name), &supported)];
    }
    errors
}

/// What containers and pods have in common; `rules` are those for names.
fn requirements(
    resources: &Value,
    claims: &HashSet<&str>,
    path: &str,
    rules: fn(&str, &str) -> Vec<FieldError>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for side in ["limits", "requests"] {
        for (name, value) in entries(resources, &format!("/{side}")) {
            let field = format!("{path}.{side}[{name}]");
            errors.extend(rules(name, &field));
            errors.extend(amount(name, value, &field));
            if side == "requests" {
                errors.extend(within_limit(resources, name, value, path));
            }
        }
    }
    errors.extend(huge_alone(resources, path));
    errors.extend(claimed(items(resources, "/claims"), claims, &format!("{path}.claims")));
    errors
}

/// The rules for the resources that a runtime needs for a pod.
pub(in crate::registry) fn overhead(overhead: &Value, path: &str) -> Vec<FieldError> {
    of_container(&json!({ "limits": overhead }), &HashSet::new(), path)
}

fn amount(name: &str, value: &Value, field: &str) -> Vec<FieldError> {
    let shown = value.as_str().unwrap_or_default();
    let amount = nanos(shown).unwrap_or_default();
    let mut errors = Vec::new();
    if amount < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(field, json!(shown), detail));
    }
    if resource_names::is_counted(name) && amount % ONE != 0 {
        errors.push(FieldError::invalid(field, json!(shown), "must be an integer"));
    }
    let page = name.strip_prefix("hugepages-").and_then(nanos);
    if page.is_some_and(|page| page > 0 && amount % page != 0) {
        let detail = format!("{shown} is not positive integer multiple of {name}");
        errors.push(FieldError::invalid(field, json!(shown), detail));
    }
    errors
}

/// Requests must not exceed limits; where nothing is given twice they equal them.
fn within_limit(resources: &Value, name: &str, value: &Value, path: &str) -> Option<FieldError> {
    let exact = !is_native(name) || is_huge(name);
    let request = value.as_str().unwrap_or_default();
    let Some(limit) = get(resources, "/limits").get(name).and_then(Value::as_str) else {
        let detail = "Limit must be set for non overcommitable resources";
        return exact.then(|| FieldError::required(format!("{path}.limits"), detail));
    };
    let detail = match nanos(request).cmp(&nanos(limit)) {
        std::cmp::Ordering::Equal => return None,
        _ if exact => format!("must be equal to {name} limit of {limit}"),
        std::cmp::Ordering::Greater => format!("must be less than or equal to {name} limit of {limit}"),
        std::cmp::Ordering::Less => return None,
    };
    Some(FieldError::invalid(format!("{path}.requests"), json!(request), detail))
}

fn huge_alone(resources: &Value, path: &str) -> Option<FieldError> {
    let names = || {
        ["limits", "requests"]
            .into_iter()
            .flat_map(|side| entries(resources, &format!("/{side}")))
    };
    let huge = names().any(|(name, _)| is_huge(name));
    let others = names().any(|(name, _)| name == "cpu" || name == "memory");
    (huge && !others).then(|| FieldError::forbidden(path, "HugePages require cpu or memory"))
}

fn claimed(claims: &[Value], known: &HashSet<&str>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = HashSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let (name, field) = (text(claim, "/name"), format!("{path}[{index}]"));
        let request = text(claim, "/request");
        let shown = if request.is_empty() {
            name.to_owned()
        } else {
            format!("{name}/{request}")
        };
        if name.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if !names.insert(shown.clone()) {
            errors.push(FieldError::duplicate(field, json!(shown)));
        } else if !known.contains(name) {
            let mut names: Vec<&str> = known.iter().copied().collect();
            names.sort_unstable();
            let known = match names.is_empty() {
                true => " which is empty".to_owned(),
                false => format!(": {}", names.join(", ")),
            };
            let detail = format!("must be one of the names in pod.spec.resourceClaims{known}");
            errors.push(FieldError::new(FieldErrorKind::NotFound(json!(name)), field, detail));
        }
    }
    errors
}
