//! The rules for autoscalers.

mod metrics;

use serde_json::{Value, json};

use super::values::{get, items, number, one_of, text};
use crate::registry::quantity::nanos;
use crate::status::FieldError;

/// The rules for an autoscaler.
pub(in crate::registry) fn autoscaler(object: &Value) -> Vec<FieldError> {
    let (least, most) = (
        number(object, "/spec/minReplicas"),
        number(object, "/spec/maxReplicas").unwrap_or_default(),
    );
    let mut errors = Vec::new();
    if least.is_some_and(|least| most < least) {
        let detail = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid("spec.maxReplicas", json!(most), detail));
    }
    let target = get(object, "/spec/scaleTargetRef");
    errors.extend(metrics::reference(target, "spec.scaleTargetRef"));
    errors.extend(scaled_group(target));
    let metrics = items(object, "/spec/metrics");
    for (index, metric) in metrics.iter().enumerate() {
        errors.extend(metric_source(metric, &format!("spec.metrics[{index}]")));
    }
    let unbounded = metrics
        .iter()
        .any(|metric| matches!(text(metric, "/type"), "Object" | "External"));
    if least == Some(0) && !unbounded {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.push(FieldError::forbidden("spec.metrics", detail));
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = get(object, &format!("/spec/behavior/{direction}"));
        if !rules.is_null() {
            errors.extend(scaling_rules(rules, &format!("spec.behavior.{direction}")));
        }
    }
    // Declared rules come after the others.
    errors.extend(super::values::not_negative(object, "/spec/minReplicas"));
    match most {
        0 => errors.push(FieldError::required("spec.maxReplicas", "")),
        1.. => {}
        _ => {
            let detail = "must be greater than or equal to 1";
            errors.push(FieldError::invalid("spec.maxReplicas", json!(most), detail));
        }
    }
    errors
}

/// What is scaled has a group, but for the one kind of the core group that can be.
fn scaled_group(target: &Value) -> Option<FieldError> {
    let version = text(target, "/apiVersion");
    let detail = match version.split_once('/') {
        Some((_, rest)) if rest.contains('/') => format!("unexpected GroupVersion string: {version}"),
        Some((group, _)) if !group.is_empty() => return None,
        _ if text(target, "/kind") == "ReplicationController" => return None,
        _ => "apiVersion must specify API group".to_owned(),
    };
    Some(FieldError::invalid(
        "spec.scaleTargetRef.apiVersion",
        json!(version),
        detail,
    ))
}

fn metric_source(metric: &Value, path: &str) -> Vec<FieldError> {
    const SOURCES: [(&str, &str); 5] = [
        ("ContainerResource", "containerResource"),
        ("External", "external"),
        ("Object", "object"),
        ("Pods", "pods"),
        ("Resource", "resource"),
    ];
    let kind = text(metric, "/type");
    let kinds = SOURCES.map(|(kind, _)| kind);
    let field = format!("{path}.type");
    let mut errors = Vec::new();
    if kind.is_empty() {
        errors.push(FieldError::required(&*field, "must specify a metric source type"));
    }
    errors.extend(one_of(&field, kind, &kinds));
    let present: Vec<&str> = ["object", "external", "pods", "resource", "containerResource"]
        .into_iter()
        .filter(|source| !get(metric, &format!("/{source}")).is_null())
        .collect();
    // Of several the first one is looked at.
    if let Some(source) = present.first() {
        errors.extend(metrics::source(source, get(metric, &format!("/{source}")), path));
    }
    let expected = SOURCES.iter().find(|(own, _)| *own == kind).map(|(_, source)| *source);
    if let Some(expected) = expected.filter(|expected| !present.contains(expected)) {
        let detail = "must populate information for the given metric source";
        errors.push(FieldError::required(format!("{path}.{expected}"), detail));
    }
    if present.len() != 1 {
        let others = present.into_iter().filter(|source| Some(*source) != expected);
        errors.extend(others.map(|source| {
            let detail = "must populate the given metric source only";
            FieldError::forbidden(format!("{path}.{source}"), detail)
        }));
    }
    errors
}

fn scaling_rules(rules: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = |field: &str| format!("{path}.{field}");
    if let Some(seconds) = number(rules, "/stabilizationWindowSeconds") {
        let wrong = |detail| FieldError::invalid(at("stabilizationWindowSeconds"), json!(seconds), detail);
        match seconds {
            ..0 => errors.push(wrong("must be greater than or equal to zero")),
            3601.. => errors.push(wrong("must be less than or equal to 3600")),
            _ => {}
        }
    }
    if let Some(tolerance) = get(rules, "/tolerance").as_str()
        && nanos(tolerance).is_some_and(|tolerance| tolerance < 0)
    {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(at("tolerance"), json!(tolerance), detail));
    }
    if let Some(policy) = get(rules, "/selectPolicy").as_str() {
        errors.extend(one_of(&at("selectPolicy"), policy, &["Disabled", "Max", "Min"]));
    }
    let policies = items(rules, "/policies");
    if policies.is_empty() {
        errors.push(FieldError::required(at("policies"), "must specify at least one Policy"));
    }
    for (index, policy) in policies.iter().enumerate() {
        let at = |field: &str| format!("{path}.policies[{index}].{field}");
        errors.extend(one_of(&at("type"), text(policy, "/type"), &["Percent", "Pods"]));
        for field in ["value", "periodSeconds"] {
            let value = number(policy, &format!("/{field}")).unwrap_or_default();
            if value <= 0 {
                errors.push(FieldError::invalid(
                    at(field),
                    json!(value),
                    "must be greater than zero",
                ));
            }
            if field == "periodSeconds" && value > 1800 {
                let detail = "must be less than or equal to 1800";
                errors.push(FieldError::invalid(at(field), json!(value), detail));
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn autoscalers() {
        let object = |more: Value| {
            let mut spec = json!({ "maxReplicas": 3, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "d" } });
            for (field, value) in more.as_object().unwrap() {
                spec[field] = value.clone();
            }
            told(autoscaler(&json!({ "spec": spec })))
        };
        assert_eq!(object(json!({})), Vec::<String>::new());
        assert_eq!(
            object(json!({ "minReplicas": 5 })),
            ["spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"]
        );
        let target = json!({ "type": "Value", "value": "1" });
        let other =
            json!({ "describedObject": { "kind": "K", "name": "n" }, "metric": { "name": "m" }, "target": target });
        assert_eq!(
            object(json!({ "metrics": [{ "type": "Pods", "object": other }] })),
            ["spec.metrics[0].pods: Required value: must populate information for the given metric source"],
            "the expected source is missing; a single other one is not told"
        );
        let both = json!({ "type": "Utilization", "averageUtilization": 0, "averageValue": "-1" });
        assert_eq!(
            object(json!({ "metrics": [{ "type": "Resource", "resource": { "name": "cpu", "target": both } }] })),
            [
                "spec.metrics[0].resource.target.averageValue: Invalid value: \"-1\": must be positive",
                "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0",
                "spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw value and a \
                 target utilization",
            ]
        );
        assert_eq!(
            object(json!({ "scaleTargetRef": { "apiVersion": "v1", "kind": "Pod", "name": "d" } })),
            ["spec.scaleTargetRef.apiVersion: Invalid value: \"v1\": apiVersion must specify API group"]
        );
        assert_eq!(
            object(json!({ "behavior": { "scaleUp": { "policies": [] } } })),
            ["spec.behavior.scaleUp.policies: Required value: must specify at least one Policy"]
        );
    }
}
