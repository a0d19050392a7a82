//! Whether a configuration of a custom resource can be applied, in the words of structured-merge-diff.

use serde_json::{Map, Value};

use kubewire_client::wire::schema;

use super::types::{self, Scalar};
use crate::apiextensions::schema::Schema;
use crate::go_value::go_map;

/// What keeps a value from being applied: other types than declared, fields that nobody declared, elements that are
/// there twice or cannot be told apart.
pub(super) fn problems(schema: &Schema, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(schema, value, "", &mut problems);
    problems
}

fn check(schema: &Schema, value: &Value, path: &str, problems: &mut Vec<String>) {
    if value.is_null() || schema.int_or_string {
        return;
    }
    let mut wrong = |wanted: &str| problems.push(format!("{path}: expected {wanted}, got &{{{}}}", go_map(value)));
    let scalar = match (schema.ty.as_deref(), value) {
        (Some("object") | None, Value::Object(members)) => return object(schema, members, path, problems),
        (Some("object"), _) => return wrong("map"),
        (Some("array"), Value::Array(elements)) => return list(schema, elements, value, path, problems),
        (Some("array"), _) => return wrong("list"),
        // Times are not looked at here.
        (Some("string"), _) if schema.format.as_deref() == Some("date-time") => return,
        (Some("string"), _) => Scalar::Text,
        (Some("boolean"), _) => Scalar::Bool,
        (Some("integer" | "number"), _) => Scalar::Number,
        _ => return,
    };
    problems.extend(scalar.problem(value).map(|problem| format!("{path}: {problem}")));
}

fn object(schema: &Schema, members: &Map<String, Value>, path: &str, problems: &mut Vec<String>) {
    for (name, value) in members {
        let path = format!("{path}.{name}");
        match (
            name.as_str(),
            schema.properties.get(name).or(schema.additional_schema()),
        ) {
            ("apiVersion" | "kind", _) if schema.embedded_resource => {}
            ("metadata", _) if schema.embedded_resource => {
                let message = schema::message("meta.v1.ObjectMeta");
                problems.extend(
                    message
                        .into_iter()
                        .flat_map(|message| types::mistyped(message, value, &path)),
                );
            }
            (_, Some(below)) => check(below, value, &path, problems),
            // An object without any declared field keeps all.
            (_, None) if schema.preserves_unknown_fields() || is_open(schema) => {}
            (_, None) => problems.push(format!("{path}: field not declared in schema")),
        }
    }
}

fn is_open(schema: &Schema) -> bool {
    schema.properties.is_empty() && !schema.embedded_resource
}

fn list(schema: &Schema, elements: &[Value], list: &Value, path: &str, problems: &mut Vec<String>) {
    let Some(items) = &schema.items else { return };
    let mut seen: Vec<String> = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let step = match schema.list_type.as_deref() {
            Some("map") if !element.is_object() => {
                let problem = "associative list with keys may not have non-map elements";
                problems.push(format!("{path}: element {index}: {problem}"));
                return;
            }
            Some("map") => {
                let has_default = |key: &str| items.properties.get(key).is_some_and(|key| key.default.is_some());
                if let Some(problem) = types::without_keys(&schema.list_map_keys, list, has_default) {
                    problems.push(format!("{path}: {problem}"));
                    return;
                }
                keys_of(schema, items, element)
            }
            Some("set") => match element {
                Value::Object(_) | Value::Array(_) => {
                    let kind = if element.is_object() { "map" } else { "list" };
                    let problem = format!("associative list without keys has an element that's a {kind} type");
                    problems.push(format!("{path}: element {index}: {problem}"));
                    return;
                }
                element => format!("[={element}]"),
            },
            _ => format!("[{index}]"),
        };
        if seen.contains(&step) {
            problems.push(format!("{path}: duplicate entries for key {step}"));
        }
        check(items, element, &format!("{path}{step}"), problems);
        seen.push(step);
    }
}

/// The members by which an element is told apart, with the defaults of those that are left out.
fn keys_of(schema: &Schema, items: &Schema, element: &Value) -> String {
    let value = |key: &String| {
        let default = || items.properties.get(key)?.default.as_ref();
        let value = element.get(key).or_else(default)?;
        Some(format!("{key}={value}"))
    };
    let keys: Vec<String> = schema.list_map_keys.iter().filter_map(value).collect();
    format!("[{}]", keys.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As kube-apiserver 1.37 says it.
    #[test]
    fn in_the_words_of_structured_merge_diff() {
        let schema = Schema::parse(&json!({ "type": "object", "properties": {
            "i": { "type": "integer" }, "s": { "type": "string" }, "b": { "type": "boolean" },
            "o": { "type": "object", "properties": { "a": { "type": "string" } } },
            "l": { "type": "array", "items": { "type": "string" } },
            "st": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" } },
            "m": { "type": "object", "additionalProperties": { "type": "integer" } },
            "k": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                "items": { "type": "object", "required": ["k"],
                    "properties": { "k": { "type": "string" }, "v": { "type": "integer" } } } },
            "ios": { "x-kubernetes-int-or-string": true },
            "d": { "type": "string", "format": "date-time" },
            "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
        } }));
        for (value, expected) in [
            (
                json!({ "i": 1.5, "ios": {}, "d": 1, "free": { "x": 1 }, "m": { "a": 1 }, "o": null }),
                &[][..],
            ),
            (
                json!({ "i": "x" }),
                &[".i: expected numeric (int or float), got string"],
            ),
            (
                json!({ "s": 1 }),
                &[".s: expected string, got &value.valueUnstructured{Value:1}"],
            ),
            (json!({ "b": "x" }), &[".b: expected boolean, got &{x}"]),
            (json!({ "o": ["x"] }), &[".o: expected map, got &{[x]}"]),
            (json!({ "l": { "a": 1 } }), &[".l: expected list, got &{map[a:1]}"]),
            (
                json!({ "st": [1] }),
                &[".st[=1]: expected string, got &value.valueUnstructured{Value:1}"],
            ),
            (
                json!({ "st": [{}] }),
                &[".st: element 0: associative list without keys has an element that's a map type"],
            ),
            (
                json!({ "st": ["a", "a"] }),
                &[".st: duplicate entries for key [=\"a\"]"],
            ),
            (
                json!({ "m": { "a": "x" } }),
                &[".m.a: expected numeric (int or float), got string"],
            ),
            (
                json!({ "k": ["x"] }),
                &[".k: element 0: associative list with keys may not have non-map elements"],
            ),
            (
                json!({ "k": [{ "k": "a", "v": "x" }] }),
                &[".k[k=\"a\"].v: expected numeric (int or float), got string"],
            ),
            (
                json!({ "i": "x", "o": { "y": 1 }, "z": 1 }),
                &[
                    ".i: expected numeric (int or float), got string",
                    ".o.y: field not declared in schema",
                    ".z: field not declared in schema",
                ],
            ),
        ] {
            assert_eq!(problems(&schema, &value), expected, "{value}");
        }
    }
}
