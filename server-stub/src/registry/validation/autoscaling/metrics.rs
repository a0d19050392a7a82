//! The rules for what an autoscaler looks at.

use kubewire_client::validation::{dns1123_label, path_segment};
use serde_json::{Value, json};

use crate::registry::quantity::nanos;
use crate::registry::validation::resource_names;
use crate::registry::validation::values::{broken, get, number, text};
use crate::status::FieldError;

/// The rules for one source of a metric.
pub(super) fn source(kind: &str, source: &Value, path: &str) -> Vec<FieldError> {
    let path = format!("{path}.{kind}");
    let target = get(source, "/target");
    let at = |field: &str| format!("{path}.target.{field}");
    let has = |field: &str| !get(target, &format!("/{field}")).is_null();
    let mut errors = Vec::new();
    match kind {
        "object" => {
            let object = get(source, "/describedObject");
            errors.extend(reference(object, &format!("{path}.describedObject")));
            errors.extend(metric_name(source, &path));
            errors.extend(metric_target(target, &path));
            if !has("value") && !has("averageValue") {
                let detail = "must set either a target value or averageValue";
                errors.push(FieldError::required(at("averageValue"), detail));
            }
        }
        "external" => {
            errors.extend(metric_name(source, &path));
            errors.extend(metric_target(target, &path));
            match (has("value"), has("averageValue")) {
                (false, false) => {
                    let detail = "must set either a target value for metric or a per-pod target";
                    errors.push(FieldError::required(at("averageValue"), detail));
                }
                (true, true) => {
                    let detail = "may not set both a target value for metric and a per-pod target";
                    errors.push(FieldError::forbidden(at("value"), detail));
                }
                _ => {}
            }
        }
        "pods" => {
            errors.extend(metric_name(source, &path));
            errors.extend(metric_target(target, &path));
            if !has("averageValue") {
                let detail = "must specify a positive target averageValue";
                errors.push(FieldError::required(at("averageValue"), detail));
            }
        }
        kind => {
            errors.extend(resource(source, kind == "containerResource", &path));
            errors.extend(metric_target(target, &path));
            match (has("averageUtilization"), has("averageValue")) {
                (false, false) => {
                    let detail = "must set either a target raw value or a target utilization";
                    errors.push(FieldError::required(at("averageUtilization"), detail));
                }
                (true, true) => {
                    let detail = "may not set both a target raw value and a target utilization";
                    errors.push(FieldError::forbidden(at("averageValue"), detail));
                }
                _ => {}
            }
        }
    }
    errors
}

/// The rules for a reference to an object.
pub(super) fn reference(object: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["kind", "name"] {
        let at = format!("{path}.{field}");
        match text(object, &format!("/{field}")) {
            "" => errors.push(FieldError::required(at, "")),
            value => errors.extend(broken(&at, value, path_segment(value))),
        }
    }
    errors
}

fn metric_name(source: &Value, path: &str) -> Vec<FieldError> {
    let field = format!("{path}.metric.name");
    match text(source, "/metric/name") {
        "" => vec![FieldError::required(field, "must specify a metric name")],
        name => broken(&field, name, path_segment(name)),
    }
}

fn resource(source: &Value, of_container: bool, path: &str) -> Vec<FieldError> {
    let field = format!("{path}.name");
    let mut errors = Vec::new();
    match text(source, "/name") {
        "" => errors.push(FieldError::required(field, "must specify a resource name")),
        name if of_container => errors.extend(resource_names::of_container(name, &field)),
        _ => {}
    }
    if of_container {
        let field = format!("{path}.container");
        match text(source, "/container") {
            "" => errors.push(FieldError::required(field, "must specify a container")),
            name => errors.extend(broken(&field, name, dns1123_label(name))),
        }
    }
    errors
}

fn metric_target(target: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.target.{field}");
    let mut errors = Vec::new();
    let kind = text(target, "/type");
    if kind.is_empty() {
        let detail = "must specify a metric target type";
        errors.push(FieldError::required(at("type"), detail));
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind) {
        let detail = "must be either Utilization, Value, or AverageValue";
        errors.push(FieldError::invalid(at("type"), json!(kind), detail));
    }
    for field in ["value", "averageValue"] {
        if let Some(value) = get(target, &format!("/{field}")).as_str()
            && nanos(value).is_none_or(|value| value <= 0)
        {
            errors.push(FieldError::invalid(at(field), json!(value), "must be positive"));
        }
    }
    if let Some(percent) = number(target, "/averageUtilization")
        && percent < 1
    {
        let detail = "must be greater than 0";
        errors.push(FieldError::invalid(at("averageUtilization"), json!(percent), detail));
    }
    errors
}
