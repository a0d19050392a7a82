//! What no schema of a definition may say, structural or not.

use regex::Regex;
use serde_json::Value;

use super::elements;
use crate::status::FieldError;

/// Keywords that cannot be turned into a structural schema at all.
const UNSUPPORTED: [&str; 6] = [
    "$ref",
    "additionalItems",
    "definitions",
    "dependencies",
    "id",
    "patternProperties",
];

/// Collects what is wrong with a schema at a path and everything inside. False where the rules for structural schemas
/// have nothing to work on.
pub(super) fn check(schema: &Value, path: &str, errors: &mut Vec<FieldError>) -> bool {
    let mut convertible = true;
    walk(schema, path, true, &mut |schema, path, is_root| {
        convertible &= node(schema, path, is_root, errors);
    });
    if convertible && has_schema_url(schema) {
        let detail = "OpenAPIV3Schema 'schema' is not supported";
        errors.push(FieldError::invalid(path, "".into(), detail));
        return false;
    }
    convertible
}

fn node(schema: &Value, path: &str, is_root: bool, errors: &mut Vec<FieldError>) -> bool {
    let at = |name: &str| format!("{path}.{name}");
    let mut convertible = true;
    for name in UNSUPPORTED {
        if !schema[name].is_null() {
            errors.push(FieldError::forbidden(at(name), format!("{name} is not supported")));
            convertible = false;
        }
    }
    if schema["uniqueItems"] == true {
        let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(at("uniqueItems"), detail));
    }
    if schema["type"] == "null" {
        let detail = "type cannot be set to null, use nullable as an alternative";
        errors.push(FieldError::forbidden(at("type"), detail));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && let Err(error) = Regex::new(pattern)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(at("pattern"), pattern.into(), detail));
    }
    let additional = &schema["additionalProperties"];
    if !additional.is_null() && is_root {
        errors.push(FieldError::forbidden(
            at("additionalProperties"),
            "must not be used at the root",
        ));
    }
    if !additional.is_null() && schema["properties"].as_object().is_some_and(|all| !all.is_empty()) {
        let detail = "additionalProperties and properties are mutual exclusive";
        errors.push(FieldError::forbidden(at("additionalProperties"), detail));
    }
    if schema["items"].is_array() {
        let detail = "items must be a schema object and not an array";
        errors.push(FieldError::forbidden(at("items"), detail));
    }
    for (index, rule) in elements(schema, "x-kubernetes-validations").enumerate() {
        if rule["rule"].as_str().is_none_or(|rule| rule.trim().is_empty()) {
            let field = format!("{path}.x-kubernetes-validations[{index}].rule");
            errors.push(FieldError::required(field, "rule is not specified"));
        }
    }
    convertible
}

/// Visits a schema with its path, then all inside.
fn walk(schema: &Value, path: &str, is_root: bool, visit: &mut impl FnMut(&Value, &str, bool)) {
    visit(schema, path, is_root);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.properties[{name}]"), false, visit);
    }
    for name in ["items", "additionalProperties", "not"] {
        if schema[name].is_object() {
            walk(&schema[name], &format!("{path}.{name}"), false, visit);
        }
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        for (index, inner) in elements(schema, name).enumerate() {
            walk(inner, &format!("{path}.{name}[{index}]"), false, visit);
        }
    }
}

fn has_schema_url(schema: &Value) -> bool {
    let mut found = false;
    walk(schema, "", true, &mut |schema, _, _| {
        found |= schema["$schema"].as_str().is_some_and(|url| !url.is_empty());
    });
    found
}

/// What clients are told of a schema that is accepted: formats that mean nothing, and sets whose elements are not
/// compared when several apply them.
pub(crate) fn warnings(schema: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    walk(schema, "", true, &mut |schema, _, _| {
        let ty = schema["type"].as_str().unwrap_or_default();
        if let Some(format) = schema["format"].as_str().filter(|format| !format.is_empty())
            && !super::formats::is_known(format, ty)
        {
            warnings.push(format!("unrecognized format {}", Value::from(format)));
        }
        let of = schema["items"]["type"].as_str().unwrap_or_default();
        if schema["x-kubernetes-list-type"] == "set" && matches!(of, "array" | "object") {
            warnings.push(format!(
                "x-kubernetes-list-type: set for items of type \"{of}\" is not supported by server-side apply or CEL \
                 validation rules"
            ));
        }
    });
    warnings.sort();
    warnings.dedup();
    warnings
}
