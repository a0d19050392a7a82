//! The rules for schemas: a CustomResourceDefinition has structural ones only (KEP-95 and its successors).

use regex::Regex;
use serde_json::{Map, Value};

use super::{Schema, texts};
use crate::status::FieldError;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

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

const NOT_SUPPORTED: [&str; 4] = ["definitions", "dependencies", "id", "patternProperties"];

/// What is wrong with a schema at a path.
pub(crate) fn structural_errors(schema: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if schema["nullable"] == true {
        errors.push(FieldError::forbidden(
            format!("{path}.nullable"),
            "nullable cannot be true at the root",
        ));
    }
    node(schema, Level::Root, path, &mut errors);
    if errors.is_empty() {
        defaults(schema, path, &mut errors);
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
    if int_or_string && !ty.is_empty() {
        let detail = "must be empty if x-kubernetes-int-or-string is true";
        errors.push(FieldError::invalid(at("type"), ty.into(), detail));
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
    values(schema, path, errors);
    lists_and_maps(schema, ty, path, errors);
    if level == Level::Root || embedded {
        object_meta(schema, path, errors);
    }
    combinations(schema, schema, int_or_string, path, errors);
    inner(schema, level, ty, path, errors);
}

/// The parts inside.
fn inner(schema: &Value, level: Level, ty: &str, path: &str, errors: &mut Vec<FieldError>) {
    let at = |name: &str| format!("{path}.{name}");
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        node(property, Level::Field, &format!("{path}.properties[{name}]"), errors);
    }
    let additional = &schema["additionalProperties"];
    if !additional.is_null() && level == Level::Root {
        errors.push(FieldError::forbidden(
            at("additionalProperties"),
            "must not be used at the root",
        ));
    }
    if *additional == false {
        let detail = "additionalProperties cannot be set to false";
        errors.push(FieldError::forbidden(at("additionalProperties"), detail));
    }
    if !additional.is_null()
        && schema["properties"]
            .as_object()
            .is_some_and(|properties| !properties.is_empty())
    {
        let detail = "additionalProperties and properties are mutual exclusive";
        errors.push(FieldError::forbidden(at("additionalProperties"), detail));
    }
    if additional.is_object() {
        node(additional, Level::Field, &at("additionalProperties"), errors);
    }
    match &schema["items"] {
        Value::Array(_) => {
            let detail = "items must be a schema object and not an array";
            errors.push(FieldError::forbidden(at("items"), detail));
        }
        items @ Value::Object(_) => node(items, Level::Item, &at("items"), errors),
        _ if ty == "array" => errors.push(FieldError::required(at("items"), "must be specified")),
        _ => {}
    }
}

/// The rules for what a part says of values.
fn values(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let at = |name: &str| format!("{path}.{name}");
    if schema["uniqueItems"] == true {
        let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(at("uniqueItems"), detail));
    }
    for name in NOT_SUPPORTED {
        if !schema[name].is_null() {
            errors.push(FieldError::forbidden(at(name), format!("{name} is not supported")));
        }
    }
    if !schema["$ref"].is_null() {
        errors.push(FieldError::forbidden(at("$ref"), "$ref is not supported"));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && let Err(error) = Regex::new(pattern)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(at("pattern"), pattern.into(), detail));
    }
    for (index, rule) in super::elements(schema, "x-kubernetes-validations").enumerate() {
        if rule["rule"].as_str().is_none_or(|rule| rule.trim().is_empty()) {
            let field = format!("{path}.x-kubernetes-validations[{index}].rule");
            errors.push(FieldError::required(field, "rule is not specified"));
        }
    }
}

fn lists_and_maps(schema: &Value, ty: &str, path: &str, errors: &mut Vec<FieldError>) {
    let at = |name: &str| format!("{path}.{name}");
    let keys = texts(schema, "x-kubernetes-list-map-keys");
    let list_type = schema["x-kubernetes-list-type"].as_str();
    if let Some(list_type) = list_type {
        if !["atomic", "map", "set"].contains(&list_type) {
            let field = at("x-kubernetes-list-type");
            errors.push(FieldError::not_supported(
                field,
                list_type.into(),
                &["atomic", "map", "set"],
            ));
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
        if !["granular", "atomic"].contains(&map_type) {
            let field = at("x-kubernetes-map-type");
            errors.push(FieldError::not_supported(
                field,
                map_type.into(),
                &["granular", "atomic"],
            ));
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
    let required = texts(items, "required");
    for (index, key) in keys.iter().enumerate() {
        let property = &items["properties"][key];
        let field = format!("{path}.x-kubernetes-list-map-keys[{index}]");
        if property.is_null() {
            let detail = "entries must all be names of item properties";
            errors.push(FieldError::invalid(field, key.as_str().into(), detail));
            continue;
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

/// What a schema may say of kind, version and metadata.
fn object_meta(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
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
    let others = metadata["properties"].as_object().into_iter().flatten();
    let others = others.filter(|(name, _)| !matches!(name.as_str(), "name" | "generateName"));
    if others.count() > 0 || !metadata["additionalProperties"].is_null() {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(FieldError::forbidden(field, detail));
    }
}

/// What stands in `allOf` and the like says something of values only, and of fields that the structural part has.
fn combinations(schema: &Value, structural: &Value, int_or_string: bool, path: &str, errors: &mut Vec<FieldError>) {
    for name in ["allOf", "anyOf", "oneOf"] {
        for (index, inner) in super::elements(schema, name).enumerate() {
            // The types of an int-or-string are usually repeated.
            let is_either = |inner: &Value| matches!(inner["type"].as_str(), Some("integer" | "string"));
            let repeats = int_or_string && name == "anyOf" && is_either(inner);
            value_validation(
                inner,
                structural,
                int_or_string,
                repeats,
                &format!("{path}.{name}[{index}]"),
                errors,
            );
        }
    }
    if schema["not"].is_object() {
        value_validation(
            &schema["not"],
            structural,
            int_or_string,
            false,
            &format!("{path}.not"),
            errors,
        );
    }
}

fn value_validation(
    schema: &Value,
    structural: &Value,
    int_or_string: bool,
    type_allowed: bool,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    for (name, detail) in STRUCTURAL_ONLY {
        let value = &schema[name];
        let unset = value.is_null() || *value == false || *value == "";
        let allowed = unset || (type_allowed && name == "type");
        if !allowed {
            errors.push(FieldError::forbidden(format!("{path}.{name}"), detail));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.properties[{name}]");
        match &structural["properties"][name] {
            Value::Null if structural["additionalProperties"].is_object() => {}
            Value::Null => {
                let field = format!("{}.properties[{name}]", outer(&path));
                errors.push(FieldError::required(field, format!("because it is defined in {path}")));
            }
            below => value_validation(property, below, false, false, &path, errors),
        }
    }
    if schema["items"].is_object() && structural["items"].is_object() {
        value_validation(
            &schema["items"],
            &structural["items"],
            false,
            false,
            &format!("{path}.items"),
            errors,
        );
    }
    combinations(schema, structural, int_or_string, path, errors);
}

/// The path of the structural part that a path inside of `allOf` and the like is about.
fn outer(path: &str) -> String {
    let cut = [".allOf[", ".anyOf[", ".oneOf[", ".not"]
        .iter()
        .filter_map(|name| path.find(name))
        .min();
    path.get(..cut.unwrap_or(path.len())).unwrap_or(path).to_owned()
}

/// Defaults are valid and complete values.
fn defaults(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if !schema["default"].is_null() {
        let field = format!("{path}.default");
        let parsed = Schema::parse(schema);
        let mut default = schema["default"].clone();
        if !parsed.prune(&mut default).is_empty() {
            let detail = "must not have unknown fields";
            errors.push(FieldError::invalid(field.clone(), schema["default"].clone(), detail));
        }
        parsed.apply_defaults(&mut default);
        errors.extend(parsed.validate(&default, None, "").into_iter().map(|mut error| {
            error.field = match error.field.as_str() {
                super::validation::NO_FIELD => field.clone(),
                inner => format!("{field}.{inner}"),
            };
            error
        }));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        defaults(property, &format!("{path}.properties[{name}]"), errors);
    }
    for name in ["items", "additionalProperties"] {
        if schema[name].is_object() {
            defaults(&schema[name], &format!("{path}.{name}"), errors);
        }
    }
}
