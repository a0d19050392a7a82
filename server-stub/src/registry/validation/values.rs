//! Reading documents, and the rules that many fields share.

use serde_json::{Map, Value, json};

use crate::registry::facts::enum_values;
use crate::status::FieldError;

/// A field of an object, null where it is not there.
pub(crate) fn get<'a>(object: &'a Value, pointer: &str) -> &'a Value {
    let found = match pointer.strip_prefix('/') {
        // Without escapes, which only few pointers have, names stand for themselves.
        Some(path) if !path.contains('~') => path.split('/').try_fold(object, step),
        _ => object.pointer(pointer),
    };
    found.unwrap_or(&Value::Null)
}

fn step<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(elements) => elements.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// A text field, empty where it is not there.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    get(object, pointer).as_str().unwrap_or_default()
}

/// A number, if it is there.
pub(crate) fn number(object: &Value, pointer: &str) -> Option<i64> {
    get(object, pointer).as_i64()
}

/// A switch, off where it is not there.
pub(crate) fn flag(object: &Value, pointer: &str) -> bool {
    get(object, pointer).as_bool().unwrap_or_default()
}

/// The elements of a list, none where it is not there.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    get(object, pointer).as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The texts in a list.
pub(crate) fn texts<'a>(object: &'a Value, pointer: &str) -> Vec<&'a str> {
    items(object, pointer).iter().filter_map(Value::as_str).collect()
}

/// The entries of a map or the fields of an object, none where it is not there.
pub(crate) fn entries<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    get(object, pointer).as_object().into_iter().flatten()
}

/// Puts a value into an object, making the objects on the way to it; null takes the field away.
pub(crate) fn put(object: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *object = value;
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(fields) = object.as_object_mut() else { return };
    if rest.is_empty() && value.is_null() {
        fields.remove(*first);
    } else {
        put(fields.entry(*first).or_insert(Value::Null), rest, value);
    }
}

/// Removes a field of the object at a pointer.
pub(crate) fn remove(object: &mut Value, pointer: &str, field: &str) -> Option<Value> {
    object.pointer_mut(pointer)?.as_object_mut()?.remove(field)
}

/// Tells which rules a text breaks.
pub(crate) type TextRule = fn(&str) -> Vec<String>;

/// Errors about a text, one for each rule that it breaks.
pub(crate) fn broken(field: &str, value: &str, rules: Vec<String>) -> Vec<FieldError> {
    let error = |rule| FieldError::invalid(field, json!(value), rule);
    rules.into_iter().map(error).collect()
}

/// The text must be one of a set, which is named in this order.
pub(crate) fn one_of(field: &str, value: &str, supported: &[&str]) -> Option<FieldError> {
    (!supported.contains(&value)).then(|| FieldError::not_supported(field, json!(value), supported))
}

/// The text must be one of an enumeration of the API, such as `v1.KeyUsage`.
pub(crate) fn one_of_type(field: &str, value: &str, type_name: &str) -> Option<FieldError> {
    one_of(field, value, enum_values(type_name).unwrap_or_default())
}

/// The number, if there is one, must not be negative.
pub(crate) fn not_negative(object: &Value, pointer: &str) -> Option<FieldError> {
    let value = number(object, pointer).filter(|value| *value < 0)?;
    Some(FieldError::invalid(
        path_of(pointer),
        json!(value),
        "must be greater than or equal to 0",
    ))
}

/// The field, which must be what it was.
pub(crate) fn immutable(new: &Value, old: &Value, pointer: &str) -> Option<FieldError> {
    let value = get(new, pointer);
    (value != get(old, pointer)).then(|| FieldError::invalid(path_of(pointer), value.clone(), "field is immutable"))
}

/// `spec.replicas` for `/spec/replicas`.
pub(crate) fn path_of(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// An object as JSON with the named fields in this order, those that are not there left out.
pub(crate) fn ordered(object: &Value, fields: &[&str]) -> String {
    let present = fields.iter().filter_map(|field| Some((field, object.get(*field)?)));
    let shown: Vec<String> = present
        .map(|(field, value)| format!("{}:{value}", json!(field)))
        .collect();
    format!("{{{}}}", shown.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers() {
        let object = json!({ "a": { "b/c": 1, "d": [{ "e": 2 }] }, "": { "f": 3 } });
        for pointer in [
            "",
            "/a",
            "/a/b~1c",
            "/a/d/0/e",
            "/a/d/1",
            "/a/d/x",
            "/a/d/0/e/g",
            "//f",
            "a",
            "/z",
        ] {
            let expected = object.pointer(pointer).unwrap_or(&Value::Null);
            assert_eq!(get(&object, pointer), expected, "{pointer}");
        }
    }
}
