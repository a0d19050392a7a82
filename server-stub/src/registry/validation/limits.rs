//! The rules for limit ranges and quotas.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::resource_names;
use super::values::{entries, get, items, text, texts};
use crate::registry::quantity::nanos;
use crate::status::FieldError;

const ONE: i128 = 1_000_000_000;
const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];

/// The rules for a limit range.
pub(in crate::registry) fn limit_range(object: &Value) -> Vec<FieldError> {
    let limits = items(object, "/spec/limits");
    let mut errors = Vec::new();
    for (index, limit) in limits.iter().enumerate() {
        let path = format!("spec.limits[{index}]");
        let kind = text(limit, "/type");
        if limits.iter().take(index).any(|earlier| text(earlier, "/type") == kind) {
            errors.push(FieldError::duplicate(format!("{path}.type"), json!(kind)));
        }
        if kind == "Pod" {
            for field in ["default", "defaultRequest"] {
                if entries(limit, &format!("/{field}")).next().is_some() {
                    let detail = "may not be specified when `type` is 'Pod'";
                    errors.push(FieldError::forbidden(format!("{path}.{field}"), detail));
                }
            }
        }
        let storage = |side: &str| get(limit, &format!("/{side}/storage")).is_null();
        if kind == "PersistentVolumeClaim" && storage("min") && storage("max") {
            let detail = "either minimum or maximum storage value is required, but neither was provided";
            errors.push(FieldError::required(format!("{path}.limits"), detail));
        }
        errors.extend(limit_sides(limit, kind, &path));
    }
    errors
}

/// The sides of a limit must not contradict each other.
fn limit_sides(limit: &Value, kind: &str, path: &str) -> Vec<FieldError> {
    let sides: &[&str] = match kind {
        "Pod" => &["max", "min", "maxLimitRequestRatio"],
        _ => &["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"],
    };
    let names: BTreeSet<&String> = sides
        .iter()
        .flat_map(|side| entries(limit, &format!("/{side}")).map(|(name, _)| name))
        .collect();
    // What is compared, how messages call it, and which of the two is at fault.
    let pairs = [
        ("min", "min", "max", "max", "min"),
        ("min", "min", "defaultRequest", "default request", "defaultRequest"),
        ("defaultRequest", "default request", "max", "max", "defaultRequest"),
        (
            "defaultRequest",
            "default request",
            "default",
            "default limit",
            "defaultRequest",
        ),
        ("min", "min", "default", "default", "default"),
        ("default", "default", "max", "max", "default"),
    ];
    let mut errors = Vec::new();
    for name in names {
        let value = |side: &str| {
            let present = sides
                .contains(&side)
                .then(|| limit.get(side)?.get(name)?.as_str())
                .flatten()?;
            Some((present, nanos(present)?))
        };
        for (low, low_name, high, high_name, at_fault) in pairs {
            let (Some((low_text, low_value)), Some((high_text, high_value))) = (value(low), value(high)) else {
                continue;
            };
            if low_value > high_value {
                let detail = format!("{low_name} value {low_text} is greater than {high_name} value {high_text}");
                let shown = match (low, high) {
                    // Upstream shows the other side for these two.
                    ("default", _) => high_text,
                    ("min", "defaultRequest") => high_text,
                    _ => low_text,
                };
                errors.push(FieldError::invalid(
                    format!("{path}.{at_fault}[{name}]"),
                    json!(shown),
                    detail,
                ));
            }
        }
        if let Some((ratio, value)) = value("maxLimitRequestRatio")
            && value < ONE
        {
            let field = format!("{path}.maxLimitRequestRatio[{name}]");
            errors.push(FieldError::invalid(
                field,
                json!(ratio),
                format!("ratio {ratio} is less than 1"),
            ));
        }
    }
    errors
}

/// The rules for a quota.
pub(in crate::registry) fn quota(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (name, value) in entries(object, "/spec/hard") {
        let field = format!("spec.hard[{name}]");
        errors.extend(resource_names::of_quota(name, &field));
        let amount = value.as_str().and_then(nanos).unwrap_or_default();
        if amount < 0 {
            let detail = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(&*field, value.clone(), detail));
        }
        if resource_names::is_object_count(name) && amount % ONE != 0 {
            errors.push(FieldError::invalid(field, value.clone(), "must be an integer"));
        }
    }
    let scopes = texts(object, "/spec/scopes");
    let wrong = |detail| FieldError::invalid("spec.scopes", json!(scopes), detail);
    errors.extend(
        scopes
            .iter()
            .filter(|scope| !SCOPES.contains(scope))
            .map(|_| wrong("unsupported scope")),
    );
    for (one, other) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if scopes.contains(&one) && scopes.contains(&other) {
            errors.push(wrong("conflicting scopes"));
        }
    }
    errors
}

/// The rules for a change of a quota.
pub(in crate::registry) fn quota_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let scopes = |object| -> BTreeSet<&str> { texts(object, "/spec/scopes").into_iter().collect() };
    let changed = scopes(new) != scopes(old);
    let shown = get(new, "/spec/scopes").clone();
    let error = changed.then(|| FieldError::invalid("spec.scopes", shown, "field is immutable"));
    error.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn limit_ranges() {
        let range = |limit: Value| told(limit_range(&json!({ "spec": { "limits": [limit] } })));
        assert_eq!(
            range(json!({ "type": "Container", "min": { "cpu": "500m" }, "max": { "cpu": "1" } })),
            Vec::<String>::new()
        );
        assert_eq!(
            range(json!({ "type": "Container", "min": { "cpu": "2" }, "max": { "cpu": "1" } })),
            ["spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1"]
        );
        assert_eq!(
            range(json!({ "type": "Pod", "default": { "cpu": "2" } })),
            ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"]
        );
    }

    #[test]
    fn quotas() {
        let object = |hard: Value, scopes: Value| json!({ "spec": { "hard": hard, "scopes": scopes } });
        assert_eq!(
            told(quota(&object(
                json!({ "pods": "1", "requests.cpu": "500m", "count/x.y": "2" }),
                json!([])
            ))),
            Vec::<String>::new()
        );
        assert_eq!(
            told(quota(&object(
                json!({ "pods": "1.5" }),
                json!(["BestEffort", "NotBestEffort"])
            ))),
            [
                "spec.hard[pods]: Invalid value: \"1.5\": must be an integer",
                "spec.scopes: Invalid value: [\"BestEffort\",\"NotBestEffort\"]: conflicting scopes",
            ]
        );
        assert_eq!(quota(&object(json!({ "nosuch": "1" }), json!([]))).len(), 2);
        let (old, new) = (object(json!({}), json!(["BestEffort"])), object(json!({}), json!([])));
        assert_eq!(
            told(quota_update(&new, &old)),
            ["spec.scopes: Invalid value: []: field is immutable"]
        );
    }
}
