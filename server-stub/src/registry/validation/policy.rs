//! The rules for disruption budgets, leases and priority classes.

use serde_json::{Value, json};

use super::values::{flag, get, immutable, number, one_of, text};
use super::{rolling, selector};
use crate::status::FieldError;

const HIGHEST_USER_PRIORITY: i64 = 1_000_000_000;
/// The classes that every cluster has: name, priority, and what they are for.
pub(crate) const SYSTEM_CLASSES: [(&str, i32, &str); 2] = [
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
];
const PREEMPTION: [&str; 2] = ["PreemptLowerPriority", "Never"];

/// The rules for a disruption budget.
pub(in crate::registry) fn disruption_budget(object: &Value) -> Vec<FieldError> {
    let spec = get(object, "/spec");
    let fields = ["minAvailable", "maxUnavailable"];
    let mut errors = Vec::new();
    if fields
        .iter()
        .all(|field| spec.get(*field).is_some_and(|value| !value.is_null()))
    {
        let detail = "minAvailable and maxUnavailable cannot be both set";
        let of = |field: &str| get(spec, &format!("/{field}"));
        let error = FieldError::invalid("spec", Value::Null, detail);
        errors.push(error.shown_as(format!(
            "{{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\"UnhealthyPodEvictionPolicy\":{}}}",
            of("minAvailable"),
            selector::shown(of("selector")),
            of("maxUnavailable"),
            of("unhealthyPodEvictionPolicy"),
        )));
    }
    for field in fields {
        let value = get(spec, &format!("/{field}"));
        if !value.is_null() {
            let field = format!("spec.{field}");
            errors.extend(rolling::count_or_percent(value, &field));
            errors.extend(rolling::at_most_all(value, &field));
        }
    }
    errors.extend(selector::validate(get(spec, "/selector"), "spec.selector"));
    if let Some(policy) = get(spec, "/unhealthyPodEvictionPolicy").as_str() {
        let policies = ["AlwaysAllow", "IfHealthyBudget"];
        errors.extend(one_of("spec.unhealthyPodEvictionPolicy", policy, &policies));
    }
    errors
}

/// The rules for a disruption budget's status.
pub(in crate::registry) fn disruption_budget_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
    super::workloads::counters(new, &counts, &[])
}

/// The rules for a lease.
pub(in crate::registry) fn lease(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let seconds = number(object, "/spec/leaseDurationSeconds").filter(|seconds| *seconds <= 0);
    errors.extend(
        seconds
            .map(|seconds| FieldError::invalid("spec.leaseDurationSeconds", json!(seconds), "must be greater than 0")),
    );
    errors.extend(super::values::not_negative(object, "/spec/leaseTransitions"));
    if !text(object, "/spec/preferredHolder").is_empty() && text(object, "/spec/strategy").is_empty() {
        let detail = "may only be specified if `strategy` is defined";
        errors.push(FieldError::forbidden("spec.preferredHolder", detail));
    }
    errors
}

/// The rules for a priority class.
pub(in crate::registry) fn priority_class(object: &Value) -> Vec<FieldError> {
    let name = text(object, "/metadata/name");
    let value = number(object, "/value").unwrap_or_default();
    let mut errors = Vec::new();
    if !get(object, "/metadata/resourceVersion").is_null() {
        // Of a change only what must stay is looked at.
        return errors;
    }
    if name.starts_with("system-") {
        let unknown = match SYSTEM_CLASSES.iter().find(|(known, ..)| *known == name) {
            None => Some(format!("{name} is not a known system priority class")),
            Some((_, known, _)) if i64::from(*known) != value => {
                Some(format!("value of {name} PriorityClass must be {known}"))
            }
            Some(_) if flag(object, "/globalDefault") => {
                Some(format!("globalDefault of {name} PriorityClass must be false"))
            }
            Some(_) => None,
        };
        errors.extend(unknown.map(|error| {
            let detail =
                format!("priority class names with 'system-' prefix are reserved for system use only. error: {error}");
            FieldError::forbidden("metadata.name", detail)
        }));
    } else if value > HIGHEST_USER_PRIORITY {
        let detail = format!("maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}");
        errors.push(FieldError::forbidden("value", detail));
    }
    if get(object, "/preemptionPolicy") == "" {
        errors.push(FieldError::required("preemptionPolicy", ""));
    } else if let Some(policy) = get(object, "/preemptionPolicy").as_str() {
        errors.extend(one_of("preemptionPolicy", policy, &PREEMPTION));
    }
    errors
}

/// The rules for a change of a priority class.
pub(in crate::registry) fn priority_class_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let value = |object| number(object, "/value").unwrap_or_default();
    let changed =
        (value(new) != value(old)).then(|| FieldError::forbidden("value", "may not be changed in an update."));
    changed
        .into_iter()
        .chain(immutable(new, old, "/preemptionPolicy"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn budgets() {
        let budget = |spec: Value| told(disruption_budget(&json!({ "spec": spec })));
        assert_eq!(budget(json!({ "minAvailable": "50%" })), Vec::<String>::new());
        assert_eq!(
            budget(json!({ "minAvailable": "150%" })),
            ["spec.minAvailable: Invalid value: \"150%\": must not be greater than 100%"]
        );
        let both = budget(json!({ "minAvailable": 1, "maxUnavailable": 1 }));
        assert!(
            both[0].ends_with("minAvailable and maxUnavailable cannot be both set"),
            "{both:?}"
        );
    }

    #[test]
    fn leases_and_priorities() {
        let held = json!({ "spec": { "leaseDurationSeconds": 0 } });
        assert_eq!(
            told(lease(&held)),
            ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]
        );
        let class = |name: &str, value: i64| json!({ "metadata": { "name": name }, "value": value });
        assert_eq!(told(priority_class(&class("a", 5))), Vec::<String>::new());
        assert_eq!(
            told(priority_class(&class("system-node-critical", 2_000_001_000))),
            Vec::<String>::new()
        );
        assert_eq!(
            told(priority_class(&class("a", 2_000_000_000))),
            ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]
        );
        assert_eq!(
            told(priority_class_update(&class("a", 1), &class("a", 2))),
            ["value: Forbidden: may not be changed in an update."]
        );
    }
}
