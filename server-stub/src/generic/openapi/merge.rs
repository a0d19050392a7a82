//! One OpenAPI 2 document of several: definitions that are called alike but say different things get other names.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::shared_parameters;

const REFERENCE: &str = "#/definitions/";
const KINDS: &str = "x-kubernetes-group-version-kind";

/// Adds the paths and definitions of a document to another. Of two items of the same path the first stays.
pub(super) fn add(merged: &mut Value, mut part: Value) {
    shared_parameters::resolve(&mut part);
    let Some(known) = merged.get_mut("definitions").and_then(Value::as_object_mut) else {
        return;
    };
    let definitions = match part["definitions"].take() {
        Value::Object(definitions) => definitions,
        _ => Map::new(),
    };
    let mut renamed = BTreeMap::new();
    let mut new = Vec::new();
    for (name, definition) in definitions {
        match free_name(known, &name, &definition) {
            None => add_kinds(known.get_mut(&name), &definition),
            Some(free) => {
                if free != name {
                    renamed.insert(format!("{REFERENCE}{name}"), format!("{REFERENCE}{free}"));
                }
                new.push((free, definition));
            }
        }
    }
    let mut paths = part["paths"].take();
    if !renamed.is_empty() {
        rename(&mut paths, &renamed);
        new.iter_mut().for_each(|(_, definition)| rename(definition, &renamed));
    }
    for (name, definition) in new {
        known.entry(name).or_insert(definition);
    }
    if let (Some(Value::Object(into)), Value::Object(from)) = (merged.get_mut("paths"), paths) {
        for (path, item) in from {
            into.entry(path).or_insert(item);
        }
    }
}

/// Under which name a definition is added; `None` where it is there already.
fn free_name(known: &Map<String, Value>, name: &str, definition: &Value) -> Option<String> {
    let mut free = name.to_owned();
    let mut number = 1;
    while let Some(other) = known.get(&free) {
        if same_but_for_kinds(other, definition) {
            // A definition that was renamed for another document is not looked for: it would have to be renamed here.
            return (number > 1).then_some(free);
        }
        number += 1;
        free = format!("{name}_v{number}");
    }
    Some(free)
}

fn same_but_for_kinds(one: &Value, other: &Value) -> bool {
    let rest = |definition: &Value| {
        let mut definition = definition.clone();
        if let Some(members) = definition.as_object_mut() {
            members.remove(KINDS);
        }
        definition
    };
    one == other || rest(one) == rest(other)
}

/// A definition stands for the kinds of all documents that have it.
fn add_kinds(known: Option<&mut Value>, definition: &Value) {
    let Some(more) = definition.get(KINDS).and_then(Value::as_array) else {
        return;
    };
    if let Some(Value::Array(kinds)) = known.and_then(|known| known.get_mut(KINDS)) {
        for kind in more {
            if !kinds.contains(kind) {
                kinds.push(kind.clone());
            }
        }
    }
}

fn rename(value: &mut Value, renamed: &BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(reference) if name == "$ref" => {
                        if let Some(new) = renamed.get(reference) {
                            reference.clone_from(new);
                        }
                    }
                    value => rename(value, renamed),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, renamed)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gvk(group: &str) -> Value {
        json!([{"group": group, "version": "v1", "kind": "A"}])
    }

    #[test]
    fn a_definition_that_says_something_else_gets_another_name() {
        let mut merged = json!({"paths": {"/a": 1}, "definitions": {"A": {"type": "object"}, "B": {"type": "string"}}});
        let part = json!({
            "paths": {"/a": 2, "/b": {"get": {"schema": {"$ref": "#/definitions/A"}}}},
            "definitions": {"A": {"type": "object", "properties": {"b": {"$ref": "#/definitions/B"}}}, "B": {"type": "string"}},
        });
        add(&mut merged, part.clone());
        add(&mut merged, part);
        let expected = json!({
            "paths": {"/a": 1, "/b": {"get": {"schema": {"$ref": "#/definitions/A_v2"}}}},
            "definitions": {
                "A": {"type": "object"},
                "A_v2": {"type": "object", "properties": {"b": {"$ref": "#/definitions/B"}}},
                "B": {"type": "string"},
            },
        });
        assert_eq!(merged, expected);
    }

    #[test]
    fn kinds_of_the_same_definition_add_up() {
        let mut merged = json!({"paths": {}, "definitions": {"A": {"type": "object", KINDS: gvk("one")}}});
        let part = json!({"paths": {}, "definitions": {"A": {"type": "object", KINDS: gvk("two")}}});
        add(&mut merged, part);
        assert_eq!(merged["definitions"].as_object().unwrap().len(), 1);
        assert_eq!(merged["definitions"]["A"][KINDS].as_array().unwrap().len(), 2);
    }

    #[test]
    fn shared_parameters_return_to_their_places() {
        let mut merged = json!({"paths": {}, "definitions": {}});
        let part = json!({
            "paths": {"/a": {"get": {"parameters": [{"$ref": "#/parameters/limit-1"}]}}},
            "parameters": {"limit-1": {"name": "limit", "in": "query"}},
        });
        add(&mut merged, part);
        assert_eq!(merged["paths"]["/a"]["get"]["parameters"][0]["name"], "limit");
    }
}
