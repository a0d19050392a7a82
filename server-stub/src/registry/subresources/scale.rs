//! `scale`: how many pods a workload shall have, whatever its kind.

use serde_json::{Value, json};

use crate::registry::validation::selector;
use crate::registry::validation::values::{get, not_negative, number, put, text};
use crate::status::{ApiError, FieldError};

/// The scale of a workload.
pub(crate) fn read(object: &Value) -> Result<Value, ApiError> {
    let replicas = |pointer| number(object, pointer).unwrap_or_default();
    let selector = selector_text(object)?;
    Ok(of_object(
        object,
        replicas("/spec/replicas"),
        replicas("/status/replicas"),
        &selector,
    ))
}

/// The scale of an object with so many replicas wished for and there.
pub(crate) fn of_object(object: &Value, replicas: i64, current: i64, selector: &str) -> Value {
    let metadata = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
    let metadata = metadata.into_iter().filter_map(|field| {
        let value = get(object, &format!("/metadata/{field}"));
        (!value.is_null()).then(|| (field.to_owned(), value.clone()))
    });
    let metadata: Value = metadata.collect::<serde_json::Map<_, _>>().into();
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {},
        "status": { "replicas": current },
    });
    if replicas != 0 {
        put(&mut scale, &["spec", "replicas"], json!(replicas));
    }
    if !selector.is_empty() {
        put(&mut scale, &["status", "selector"], json!(selector));
    }
    scale
}

/// The object with another scale, based on the version that the scale names; `path` is where it has its replicas.
/// Custom resources have rules of their own for that field.
pub(crate) fn write(object: &Value, scale: &Value, path: &[&str], custom: bool) -> Result<Value, ApiError> {
    let errors: Vec<FieldError> = not_negative(scale, "/spec/replicas").into_iter().collect();
    if !errors.is_empty() && !custom {
        let name = text(object, "/metadata/name");
        return Err(ApiError::invalid("autoscaling", "Scale", name, errors));
    }
    let mut object = object.clone();
    let replicas = number(scale, "/spec/replicas").unwrap_or_default();
    put(&mut object, path, json!(replicas));
    let version = get(scale, "/metadata/resourceVersion").clone();
    put(&mut object, &["metadata", "resourceVersion"], version);
    Ok(object)
}

/// What the workload selects, as text. A replication controller has a plain map.
fn selector_text(object: &Value) -> Result<String, ApiError> {
    let wanted = get(object, "/spec/selector");
    let plain = text(object, "/kind") == "ReplicationController";
    let wanted = if plain {
        json!({ "matchLabels": wanted })
    } else {
        wanted.clone()
    };
    if !wanted.is_object() {
        return Ok(String::new());
    }
    let parsed = selector::parse(&wanted);
    parsed
        .map(|selector| selector.to_string())
        .map_err(|error| ApiError::bad_request(error.to_string()))
}
