//! Whether a configuration that is applied has values of the right types, in the words of structured-merge-diff.

use kubewire_client::wire::schema::{Container, FieldSchema, ListType, MessageSchema, Type};
use serde_json::{Value, json};

use crate::go_value::{go_map, go_syntax};

/// The values of the wrong type in an object of a message; what is written in a form of its own is passed over.
pub(super) fn mistyped(message: &MessageSchema, value: &Value, path: &str) -> Vec<String> {
    if message.special.is_some() || value.is_null() {
        return Vec::new();
    }
    let Some(members) = value.as_object() else {
        return vec![format!("{path}: expected map, got &{{{}}}", go_map(value))];
    };
    let known = members
        .iter()
        .filter_map(|(name, value)| Some((message.field(name)?, value)));
    known
        .flat_map(|(field, value)| mistyped_field(field, value, &format!("{path}.{}", field.json)))
        .collect()
}

fn mistyped_field(field: &FieldSchema, value: &Value, path: &str) -> Vec<String> {
    let wrong = |wanted: &str| vec![format!("{path}: expected {wanted}, got &{{{}}}", go_map(value))];
    match (field.container, value) {
        (_, Value::Null) => Vec::new(),
        (Container::One, _) => mistyped_value(field, value, path),
        (Container::Map, Value::Object(members)) => {
            let members = members.iter();
            members
                .flat_map(|(name, value)| mistyped_value(field, value, &format!("{path}.{name}")))
                .collect()
        }
        (Container::Map, _) => wrong("map"),
        (Container::List, Value::Array(elements)) => {
            let elements = elements.iter().enumerate();
            elements
                .flat_map(|(index, element)| mistyped_element(field, index, element, path))
                .collect()
        }
        (Container::List, _) => wrong("list"),
    }
}

fn mistyped_element(field: &FieldSchema, index: usize, element: &Value, path: &str) -> Vec<String> {
    let step = match field.list_type {
        Some(ListType::Map) if !element.is_object() => {
            let problem = "associative list with keys may not have non-map elements";
            return vec![format!("{path}: element {index}: {problem}")];
        }
        Some(ListType::Map) => {
            let keys = field
                .list_map_keys
                .iter()
                .filter_map(|key| Some((key, element.get(*key)?)));
            let keys: Vec<String> = keys.map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        Some(ListType::Set) => format!("[={element}]"),
        _ => format!("[{index}]"),
    };
    mistyped_value(field, element, &format!("{path}{step}"))
}

fn mistyped_value(field: &FieldSchema, value: &Value, path: &str) -> Vec<String> {
    let scalar = match field.ty {
        Type::Message(message) => return mistyped(message, value, path),
        Type::String | Type::Bytes => Scalar::Text,
        Type::Bool => Scalar::Bool,
        Type::Int32 | Type::Int64 | Type::Double => Scalar::Number,
        _ => return Vec::new(),
    };
    let problem = scalar.problem(value).map(|problem| format!("{path}: {problem}"));
    problem.into_iter().collect()
}

/// A type of single values.
pub(super) enum Scalar {
    Text,
    Bool,
    Number,
}

impl Scalar {
    /// What is wrong with a value that should be of this type.
    pub(super) fn problem(&self, value: &Value) -> Option<String> {
        Some(match (self, value) {
            (_, Value::Null)
            | (Self::Text, Value::String(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Number, Value::Number(_)) => return None,
            (Self::Text, _) => {
                format!(
                    "expected string, got &value.valueUnstructured{{Value:{}}}",
                    go_syntax(value)
                )
            }
            (Self::Bool, _) => format!("expected boolean, got &{{{}}}", go_map(value)),
            (Self::Number, _) => {
                let what = match value {
                    Value::String(_) => "string",
                    Value::Bool(_) => "bool",
                    Value::Array(_) => "[]interface {}",
                    _ => "map[string]interface {}",
                };
                format!("expected numeric (int or float), got {what}")
            }
        })
    }
}

/// What is wrong in one text.
pub(super) fn all(problems: &[String]) -> Option<String> {
    match problems {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("errors:\n  {}", many.join("\n  "))),
    }
}

/// The first element of a list that has none of the members by which its elements are told apart.
pub(super) fn without_keys(keys: &[String], value: &Value, has_default: impl Fn(&str) -> bool) -> Option<String> {
    let is_told_apart = |element: &Value| keys.iter().any(|key| !element[key.as_str()].is_null());
    if keys.iter().any(|key| has_default(key)) {
        return None;
    }
    let elements = value.as_array()?;
    let index = elements.iter().position(|element| !is_told_apart(element))?;
    let keys = keys
        .iter()
        .map(|key| json!(key).to_string())
        .collect::<Vec<_>>()
        .join(" ");
    Some(format!(
        "element {index}: associative list with keys has an element that omits all key fields [{keys}] (and doesn't have \
         default values for any key fields)"
    ))
}

#[cfg(test)]
mod tests {
    use kubewire_client::wire::schema;

    use super::*;

    #[test]
    fn in_the_words_of_structured_merge_diff() {
        let problems = |message: &str, value| all(&mistyped(schema::message(message).unwrap(), &value, ""));
        let config_map = |value| problems("core.v1.ConfigMap", value).unwrap_or_default();
        assert_eq!(
            config_map(json!({ "data": { "a": "b" }, "immutable": true, "metadata": { "creationTimestamp": 5 } })),
            ""
        );
        assert_eq!(config_map(json!({ "data": ["x"] })), ".data: expected map, got &{[x]}");
        assert_eq!(
            config_map(json!({ "data": { "a": 1 }, "immutable": "x" })),
            "errors:\n  .data.a: expected string, got &value.valueUnstructured{Value:1}\n  .immutable: expected boolean, \
             got &{x}"
        );
        assert_eq!(
            config_map(json!({ "metadata": { "finalizers": [1] } })),
            ".metadata.finalizers[=1]: expected string, got &value.valueUnstructured{Value:1}"
        );
        assert_eq!(
            config_map(json!({ "metadata": { "ownerReferences": [1] } })),
            ".metadata.ownerReferences: element 0: associative list with keys may not have non-map elements"
        );
        let container = json!({ "containers": [{ "name": "a", "image": 5 }], "priority": "x" });
        assert_eq!(
            problems("core.v1.PodSpec", container).unwrap(),
            "errors:\n  .containers[name=\"a\"].image: expected string, got &value.valueUnstructured{Value:5}\n  .priority: \
             expected numeric (int or float), got string"
        );
    }

    #[test]
    fn elements_without_keys() {
        let keys = ["key".to_owned()];
        let value = json!([{ "key": "a" }, { "value": "b" }]);
        assert!(
            without_keys(&keys, &value, |_| false)
                .unwrap()
                .starts_with("element 1: associative list")
        );
        assert_eq!(without_keys(&keys, &value, |_| true), None);
    }
}
