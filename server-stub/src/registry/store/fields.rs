//! Access to an object's metadata.

use serde_json::{Map, Value};

/// The object's metadata, made if it is missing.
pub(super) fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    let metadata = as_map(object).entry("metadata").or_insert(Value::Null);
    as_map(metadata)
}

/// The value as a map; what is none becomes an empty one.
fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made a map above"),
    }
}

/// A text field, empty if it is not there.
pub(super) fn text<'a>(metadata: &'a Map<String, Value>, field: &str) -> &'a str {
    metadata.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The names in a list, such as finalizers.
pub(super) fn names(metadata: &Map<String, Value>, field: &str) -> Vec<String> {
    let list = metadata.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A time as Kubernetes writes it: whole seconds, UTC.
pub(crate) fn seconds(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
