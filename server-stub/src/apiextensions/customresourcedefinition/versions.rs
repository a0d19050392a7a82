//! The rules for the versions of a definition.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::apiextensions::customresource::JsonPath;
use crate::apiextensions::schema::structural_errors;
use crate::registry::validation::metadata::dns1035_name;
use crate::registry::validation::values::items;
use crate::status::FieldError;

/// The types of columns, and formats.
const COLUMN_TYPES: [&str; 5] = ["integer", "number", "string", "boolean", "date"];
const MAX_SELECTABLE_FIELDS: usize = 8;

pub(super) fn validate(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let versions = items(definition, "/spec/versions");
    for (index, version) in versions.iter().enumerate() {
        validate_version(version, &format!("spec.versions[{index}]"), &mut errors);
    }
    let names: HashSet<&str> = versions.iter().filter_map(|version| version["name"].as_str()).collect();
    let all = || FieldError::invalid("spec.versions", versions.into(), "").shown_as(shown(versions));
    if names.len() < versions.len() {
        let mut error = all();
        error.detail = "must contain unique version names".to_owned();
        errors.push(error);
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let mut error = all();
        error.detail = "must have exactly one version marked as storage version".to_owned();
        errors.push(error);
    }
    schemas(versions, &mut errors);
    errors
}

/// What all versions have in common stands in one place in kube-apiserver, and errors name that place.
fn schemas(versions: &[Value], errors: &mut Vec<FieldError>) {
    let schema_of = |version: &Value| version["schema"]["openAPIV3Schema"].clone();
    let Some(first) = versions.first().map(schema_of) else {
        return;
    };
    for (index, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
            errors.push(FieldError::required(field, ""));
        }
    }
    if versions.iter().all(|version| schema_of(version) == first) {
        if first.is_object() {
            errors.extend(structural_errors(&first, "spec.validation.openAPIV3Schema"));
        }
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        let schema = schema_of(version);
        if schema.is_object() {
            let path = format!("spec.versions[{index}].schema.openAPIV3Schema");
            errors.extend(structural_errors(&schema, &path));
        }
    }
}

fn validate_version(version: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let name = version["name"].as_str().unwrap_or_default();
    let broken = dns1035_name(name, false);
    if !broken.is_empty() {
        errors.push(FieldError::invalid(
            format!("{path}.name"),
            name.into(),
            broken.join(","),
        ));
    }
    let warning = &version["deprecationWarning"];
    if !warning.is_null() && version["deprecated"] != true {
        let detail = "can only be set for deprecated versions";
        errors.push(FieldError::invalid(
            format!("{path}.deprecationWarning"),
            warning.clone(),
            detail,
        ));
    }
    for (index, column) in items(version, "/additionalPrinterColumns").iter().enumerate() {
        validate_column(column, &format!("{path}.additionalPrinterColumns[{index}]"), errors);
    }
    let scale = &version["subresources"]["scale"];
    if scale.is_object() {
        validate_scale(scale, &format!("{path}.subresources.scale"), errors);
    }
    let fields = items(version, "/selectableFields");
    if fields.len() > MAX_SELECTABLE_FIELDS {
        let field = format!("{path}.selectableFields");
        errors.push(FieldError::too_many(field, fields.len(), MAX_SELECTABLE_FIELDS));
    }
    let schema = &version["schema"]["openAPIV3Schema"];
    let mut seen = HashSet::new();
    for (index, field) in fields.iter().enumerate() {
        let path = format!("{path}.selectableFields[{index}].jsonPath");
        let name = field["jsonPath"].as_str().unwrap_or_default();
        if name.is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if let Some(detail) = selectable_problem(name, schema) {
            errors.push(FieldError::invalid(path, name.into(), detail));
        } else if !seen.insert(name) {
            errors.push(FieldError::duplicate(path, name.into()));
        }
    }
}

/// Fields that can be selected are strings, booleans and integers of the spec or status.
fn selectable_problem(name: &str, schema: &Value) -> Option<&'static str> {
    let Some(path) = JsonPath::parse(name).filter(JsonPath::is_simple) else {
        return Some("is an invalid path: must be a simple path of field names");
    };
    let members = path.members();
    if members.first() == Some(&"metadata") {
        return Some("must not point to fields in metadata");
    }
    let field = members
        .iter()
        .try_fold(schema, |schema, name| schema["properties"].get(name));
    match field.and_then(|field| field["type"].as_str()) {
        Some("string" | "boolean" | "integer") => None,
        Some(_) => Some(
            "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
        ),
        None => Some("does not refer to a valid field"),
    }
}

fn validate_column(column: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let text = |name: &str| column[name].as_str().unwrap_or_default();
    if text("name").is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    }
    match text("type") {
        "" => {
            let detail = format!("must be one of {}", COLUMN_TYPES.join(","));
            errors.push(FieldError::required(format!("{path}.type"), detail));
        }
        ty if !COLUMN_TYPES.contains(&ty) => {
            let detail = format!("must be one of {}", COLUMN_TYPES.join(","));
            errors.push(FieldError::invalid(format!("{path}.type"), ty.into(), detail));
        }
        _ => {}
    }
    match text("jsonPath") {
        "" => errors.push(FieldError::required(format!("{path}.jsonPath"), "")),
        json_path if JsonPath::parse(json_path).is_none() => {
            let detail = "is an invalid path";
            errors.push(FieldError::invalid(
                format!("{path}.jsonPath"),
                json_path.into(),
                detail,
            ));
        }
        _ => {}
    }
}

fn validate_scale(scale: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (name, roots, required) in [
        ("specReplicasPath", &["spec"][..], true),
        ("statusReplicasPath", &["status"][..], true),
        ("labelSelectorPath", &["spec", "status"][..], false),
    ] {
        let field = format!("{path}.{name}");
        let value = scale[name].as_str().unwrap_or_default();
        if value.is_empty() {
            if required {
                errors.push(FieldError::required(field, ""));
            }
            continue;
        }
        let Some(json_path) = JsonPath::parse(value).filter(JsonPath::is_simple) else {
            let detail = "should be a simple json path";
            errors.push(FieldError::invalid(field, value.into(), detail));
            continue;
        };
        if !json_path.members().first().is_some_and(|root| roots.contains(root)) {
            let roots: Vec<String> = roots.iter().map(|root| format!(".{root}")).collect();
            let detail = format!("should be a json path under {}", roots.join(" or "));
            errors.push(FieldError::invalid(field, value.into(), detail));
        }
    }
}

/// The versions as kube-apiserver shows them, without what all of them have in common.
fn shown(versions: &[Value]) -> String {
    let version = |version: &Value| {
        format!(
            "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":null,\
             \"Subresources\":null,\"AdditionalPrinterColumns\":null,\"SelectableFields\":null}}",
            version["name"],
            version["served"] == true,
            version["storage"] == true,
            version["deprecated"] == true,
            json!(version["deprecationWarning"]),
        )
    };
    format!("[{}]", versions.iter().map(version).collect::<Vec<_>>().join(","))
}
