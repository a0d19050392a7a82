//! The rules for schemas: a CustomResourceDefinition has structural ones only (KEP-95 and its successors).

use serde_json::{Map, Value};

use super::{Schema, texts, unsupported};
use crate::status::FieldError;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

const LIST_TYPES: [&str; 3] = ["atomic", "set", "map"];
const MAP_TYPES: [&str; 2] = ["atomic", "granular"];

/// What only the structural part of a schema may have, and how it must be left in the others.
const STRUCTURAL_ONLY: [(&str, &str); 13] = [
    ("type", "must be empty to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("default", "must be undefined to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
];

/// What is wrong with a schema at a path.
pub(crate) fn structural_errors(schema: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if schema["nullable"] == true {
        errors.push(FieldError::forbidden(
            format!("{path}.nullable"),
            "nullable cannot be true at the root",
        ));
    }
    if !unsupported::check(schema, path, &mut errors) {
        return errors;
    }
    node(schema, Level::Root, path, &mut errors);
    if errors.is_empty() {
        defaults(schema, Level::Root, path, &mut errors);
    }
    errors
}

/// Where in the schema a part stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Field,
    Item,
}

fn node(schema: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let at = |name: &str| format!("{path}.{name}");
    let flag = |name: &str| schema[name] == true;
    let (int_or_string, embedded, keeps) = (
        flag("x-kubernetes-int-or-string"),
        flag("x-kubernetes-embedded-resource"),
        flag("x-kubernetes-preserve-unknown-fields"),
    );
    let ty = schema["type"].as_str().unwrap_or_default();
    if !ty.is_empty() && !TYPES.contains(&ty) {
        errors.push(FieldError::not_supported(at("type"), ty.into(), &TYPES));
    }
    let must_be_object = "must be object if x-kubernetes-embedded-resource is true";
    match (ty, level) {
        ("", _) if embedded => errors.push(FieldError::required(at("type"), must_be_object)),
        ("object", _) => {}
        (_, _) if embedded => errors.push(FieldError::invalid(at("type"), ty.into(), must_be_object)),
        ("", _) if int_or_string || keeps => {}
        ("", Level::Root) => errors.push(FieldError::required(at("type"), "must not be empty at the root")),
        ("", Level::Item) => {
            errors.push(FieldError::required(
                at("type"),
                "must not be empty for specified array items",
            ));
        }
        ("", Level::Field) => {
            errors.push(FieldError::required(
                at("type"),
                "must not be empty for specified object fields",
            ));
        }
        (_, Level::Root) => errors.push(FieldError::invalid(at("type"), ty.into(), "must be object at the root")),
        _ => {}
    }
    for (name, set) in [
        ("x-kubernetes-embedded-resource", embedded),
        ("x-kubernetes-preserve-unknown-fields", keeps),
    ] {
        if int_or_string && set {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            errors.push(FieldError::invalid(at(name), true.into(), detail));
        }
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == false {
        let detail = "must be true or undefined";
        errors.push(FieldError::invalid(
            at("x-kubernetes-preserve-unknown-fields"),
            false.into(),
            detail,
        ));
    }
    if embedded && !keeps && schema["properties"].as_object().is_none_or(Map::is_empty) {
        let detail =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(at("properties"), detail));
    }
    lists_and_maps(schema, ty, path, errors);
    if level == Level::Root || embedded {
        object_meta(schema, level, path, errors);
    }
    combinations(schema, int_or_string, path, errors);
    inner(schema, ty, path, errors);
}

/// The parts inside.
fn inner(schema: &Value, ty: &str, path: &str, errors: &mut Vec<FieldError>) {
    let at = |name: &str| format!("{path}.{name}");
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        node(property, Level::Field, &format!("{path}.properties[{name}]"), errors);
    }
    let additional = &schema["additionalProperties"];
    if additional.is_object() {
        node(additional, Level::Field, &at("additionalProperties"), errors);
    }
    match &schema["items"] {
        Value::Array(_) => {}
        items @ Value::Object(_) => node(items, Level::Item, &at("items"), errors),
        _ if ty == "array" => errors.push(FieldError::required(at("items"), "must be specified")),
        _ => {}
    }
}

fn lists_and_maps(schema: &Value, ty: &str, path: &str, errors: &mut Vec<FieldError>) {
    let at = |name: &str| format!("{path}.{name}");
    let keys = texts(schema, "x-kubernetes-list-map-keys");
    let list_type = schema["x-kubernetes-list-type"].as_str();
    if let Some(list_type) = list_type {
        if !LIST_TYPES.contains(&list_type) {
            let field = at("x-kubernetes-list-type");
            errors.push(FieldError::not_supported(field, list_type.into(), &LIST_TYPES));
        }
        if ty != "array" {
            let detail = "must be array if x-kubernetes-list-type is specified";
            errors.push(match ty {
                "" => FieldError::required(at("type"), detail),
                ty => FieldError::invalid(at("type"), ty.into(), detail),
            });
        }
    }
    match list_type {
        Some("map") if keys.is_empty() => {
            let detail = "must not be empty if x-kubernetes-list-type is map";
            errors.push(FieldError::required(at("x-kubernetes-list-map-keys"), detail));
        }
        Some("map") => map_keys(&keys, &schema["items"], path, errors),
        Some("set") => set_items(&schema["items"], path, errors),
        _ if !keys.is_empty() => {
            let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
            errors.push(match list_type {
                None => FieldError::required(at("x-kubernetes-list-type"), detail),
                Some(other) => FieldError::invalid(at("x-kubernetes-list-type"), other.into(), detail),
            });
        }
        _ => {}
    }
    if let Some(map_type) = schema["x-kubernetes-map-type"].as_str() {
        if !MAP_TYPES.contains(&map_type) {
            let field = at("x-kubernetes-map-type");
            errors.push(FieldError::not_supported(field, map_type.into(), &MAP_TYPES));
        }
        if ty != "object" {
            let detail = "must be object if x-kubernetes-map-type is specified";
            errors.push(match ty {
                "" => FieldError::required(at("type"), detail),
                ty => FieldError::invalid(at("type"), ty.into(), detail),
            });
        }
    }
}

/// The keys of a list are scalars that every element has.
fn map_keys(keys: &[String], items: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if items["type"] != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(
            format!("{path}.items.type"),
            items["type"].clone(),
            detail,
        ));
        return;
    }
    if items["nullable"] == true {
        let detail = "cannot be nullable when x-kubernetes-list-type is map";
        errors.push(FieldError::forbidden(format!("{path}.items.nullable"), detail));
    }
    let required = texts(items, "required");
    let all = || (format!("{path}.x-kubernetes-list-map-keys"), Value::from(keys));
    if keys
        .iter()
        .enumerate()
        .any(|(index, key)| keys.iter().take(index).any(|other| other == key))
    {
        let (field, keys) = all();
        errors.push(FieldError::invalid(field, keys, "must not contain duplicate entries"));
    }
    for key in keys {
        let property = &items["properties"][key];
        if property.is_null() {
            let (field, keys) = all();
            let detail = "entries must all be names of item properties";
            errors.push(FieldError::invalid(field, keys, detail));
            continue;
        }
        if property["nullable"] == true {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            let field = format!("{path}.items.properties[{key}].nullable");
            errors.push(FieldError::forbidden(field, detail));
        }
        if matches!(property["type"].as_str(), Some("array" | "object")) {
            let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            let field = format!("{path}.items.properties[{key}].type");
            errors.push(FieldError::invalid(field, property["type"].clone(), detail));
        }
        if !required.contains(key) && property["default"].is_null() {
            let detail =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(FieldError::required(
                format!("{path}.items.properties[{key}].default"),
                detail,
            ));
        }
    }
}

/// Elements of sets are compared as a whole.
fn set_items(items: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if items["nullable"] == true {
        let detail = "cannot be nullable when x-kubernetes-list-type is set";
        errors.push(FieldError::forbidden(format!("{path}.items.nullable"), detail));
    }
    let (name, whole) = match items["type"].as_str() {
        Some("object") => ("x-kubernetes-map-type", items["x-kubernetes-map-type"] == "atomic"),
        Some("array") => {
            let list_type = &items["x-kubernetes-list-type"];
            ("x-kubernetes-list-type", list_type.is_null() || *list_type == "atomic")
        }
        _ => return,
    };
    if !whole {
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let field = format!("{path}.items.{name}");
        errors.push(FieldError::invalid(field, items[name].clone(), detail));
    }
}

/// What a schema may say of kind, version and metadata.
fn object_meta(schema: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    for name in ["kind", "apiVersion"] {
        let property = &schema["properties"][name];
        if property.is_object() && property["type"] != "string" {
            let ty = property["type"].as_str().unwrap_or_default();
            let field = format!("{path}.properties[{name}].type");
            errors.push(FieldError::invalid(field, ty.into(), "must be string"));
        }
    }
    let metadata = &schema["properties"]["metadata"];
    if !metadata.is_object() {
        return;
    }
    let field = format!("{path}.properties[metadata]");
    if metadata["type"] != "object" {
        let ty = metadata["type"].as_str().unwrap_or_default();
        errors.push(FieldError::invalid(
            format!("{field}.type"),
            ty.into(),
            "must be object",
        ));
    }
    if level != Level::Root {
        return;
    }
    if !metadata["default"].is_null() {
        let detail = "must not be set in top-level metadata";
        errors.push(FieldError::forbidden(format!("{field}.default"), detail));
    }
    let others = metadata["properties"].as_object().into_iter().flatten();
    let others = others.filter(|(name, _)| !matches!(name.as_str(), "name" | "generateName"));
    if others.count() > 0 || !metadata["additionalProperties"].is_null() {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(FieldError::forbidden(field, detail));
    }
}

/// What stands in `allOf` and the like says something of values only.
fn combinations(schema: &Value, int_or_string: bool, path: &str, errors: &mut Vec<FieldError>) {
    for name in ["allOf", "anyOf", "oneOf"] {
        // The types of an int-or-string are usually repeated, by one of two patterns.
        let repeats = int_or_string && name == "anyOf" && is_int_or_string(schema);
        for (index, inner) in super::elements(schema, name).enumerate() {
            let path = format!("{path}.{name}[{index}]");
            let first_of_all = int_or_string && name == "allOf" && index == 0;
            value_validation(inner, first_of_all, repeats, &path, errors);
        }
    }
    if schema["not"].is_object() {
        value_validation(&schema["not"], false, false, &format!("{path}.not"), errors);
    }
}

fn is_int_or_string(schema: &Value) -> bool {
    let types: Vec<&Value> = super::elements(schema, "anyOf").map(|inner| &inner["type"]).collect();
    matches!(types.as_slice(), [first, second] if **first == "integer" && **second == "string")
}

fn value_validation(schema: &Value, int_or_string: bool, type_allowed: bool, path: &str, errors: &mut Vec<FieldError>) {
    for (name, detail) in STRUCTURAL_ONLY {
        let value = &schema[name];
        let unset = value.is_null() || *value == false || *value == "";
        let allowed = unset || (type_allowed && name == "type");
        if !allowed {
            errors.push(FieldError::forbidden(format!("{path}.{name}"), detail));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        value_validation(property, false, false, &format!("{path}.properties[{name}]"), errors);
    }
    if schema["items"].is_object() {
        value_validation(&schema["items"], false, false, &format!("{path}.items"), errors);
    }
    combinations(schema, int_or_string, path, errors);
}

/// Defaults are valid and complete values.
fn defaults(schema: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    if !schema["default"].is_null() {
        let field = format!("{path}.default");
        let mut parsed = Schema::parse(schema);
        // The root is a whole object.
        parsed.embedded_resource |= level == Level::Root;
        let mut default = schema["default"].clone();
        if !parsed.prune(&mut default).is_empty() {
            let detail = "must not have unknown fields";
            errors.push(FieldError::invalid(field.clone(), schema["default"].clone(), detail));
        }
        parsed.apply_defaults(&mut default);
        let found = parsed.validate(&default, None, "");
        let found = found.into_iter().chain(parsed.embedded_errors(&default));
        errors.extend(found.map(|mut error| {
            error.field = match error.field.as_str() {
                "" | super::validation::NO_FIELD => field.clone(),
                inner => format!("{field}.{inner}"),
            };
            error
        }));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        defaults(property, Level::Field, &format!("{path}.properties[{name}]"), errors);
    }
    for name in ["items", "additionalProperties"] {
        if schema[name].is_object() {
            defaults(&schema[name], Level::Field, &format!("{path}.{name}"), errors);
        }
    }
}
