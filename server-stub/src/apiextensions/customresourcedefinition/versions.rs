//! The rules for the versions of a definition.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::apiextensions::customresource::JsonPath;
use crate::apiextensions::schema::structural_errors;
use crate::registry::validation::metadata::dns1035_name;
use crate::registry::validation::values::items;
use crate::status::FieldError;

/// The types of columns, and formats.
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];
const MAX_WARNING: usize = 256;
const MAX_SELECTABLE_FIELDS: usize = 8;

pub(super) fn validate(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let versions = items(definition, "/spec/versions");
    for (index, version) in versions.iter().enumerate() {
        name_and_warning(version, &format!("spec.versions[{index}]"), &mut errors);
    }
    // kube-apiserver remembers the first version in one more place.
    if let Some(first) = versions.first() {
        errors.extend(broken_name(first, "spec.version"));
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
    for (path, version) in places(versions, &["additionalPrinterColumns"]) {
        for (index, column) in items(version, "/additionalPrinterColumns").iter().enumerate() {
            validate_column(
                column,
                &format!("{path}.additionalPrinterColumns[{index}]"),
                &mut errors,
            );
        }
    }
    for (path, version) in places(versions, &["subresources"]) {
        let scale = &version["subresources"]["scale"];
        if scale.is_object() {
            validate_scale(scale, &format!("{path}.subresources.scale"), &mut errors);
        }
    }
    let one_schema = places(versions, &["schema"]).len() < versions.len();
    for (path, version) in places(versions, &["selectableFields"]) {
        if one_schema && path != "spec" && !items(version, "/selectableFields").is_empty() {
            let detail = "may only be set when `version.schema.openAPIV3Schema` is not included";
            errors.push(FieldError::invalid(
                format!("{path}.selectableFields"),
                "".into(),
                detail,
            ));
            continue;
        }
        validate_selectable_fields(version, &path, &mut errors);
    }
    errors
}

/// The versions to look at, each with its place. What all versions have in common stands in one place in
/// kube-apiserver, and errors name that place.
fn places<'a>(versions: &'a [Value], of: &[&str]) -> Vec<(String, &'a Value)> {
    let part = |version: &'a Value| of.iter().fold(version, |value, name| &value[*name]);
    match versions.first() {
        Some(first) if versions.iter().all(|version| part(version) == part(first)) => vec![("spec".to_owned(), first)],
        _ => {
            let place = |(index, version)| (format!("spec.versions[{index}]"), version);
            versions.iter().enumerate().map(place).collect()
        }
    }
}

fn schemas(versions: &[Value], errors: &mut Vec<FieldError>) {
    for (index, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
            errors.push(FieldError::required(field, ""));
        }
    }
    for (path, version) in places(versions, &["schema", "openAPIV3Schema"]) {
        let schema = &version["schema"]["openAPIV3Schema"];
        let name = if path == "spec" { "validation" } else { "schema" };
        if schema.is_object() {
            errors.extend(structural_errors(schema, &format!("{path}.{name}.openAPIV3Schema")));
        }
    }
}

fn broken_name(version: &Value, field: &str) -> Option<FieldError> {
    let name = version["name"].as_str().unwrap_or_default();
    let broken = dns1035_name(name, false);
    (!broken.is_empty()).then(|| FieldError::invalid(field, name.into(), broken.join(",")))
}

fn name_and_warning(version: &Value, path: &str, errors: &mut Vec<FieldError>) {
    errors.extend(broken_name(version, &format!("{path}.name")));
    let Some(warning) = version["deprecationWarning"].as_str() else {
        return;
    };
    let unprintable = warning.char_indices().find(|(_, c)| c.is_control());
    let detail = match unprintable {
        _ if version["deprecated"] != true => "can only be set for deprecated versions".to_owned(),
        _ if warning.is_empty() => "must not be an empty string".to_owned(),
        _ if warning.len() > MAX_WARNING => format!("must be <= {MAX_WARNING} characters long"),
        Some((index, _)) => {
            format!("must only contain printable UTF-8 characters; non-printable character found at index {index}")
        }
        None => return,
    };
    errors.push(FieldError::invalid(
        format!("{path}.deprecationWarning"),
        warning.into(),
        detail,
    ));
}

fn validate_selectable_fields(version: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let fields = items(version, "/selectableFields");
    let before = errors.len();
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
    if errors.len() == before && fields.len() > MAX_SELECTABLE_FIELDS {
        let field = format!("{path}.selectableFields");
        errors.push(FieldError::too_many(field, fields.len(), MAX_SELECTABLE_FIELDS));
    }
}

/// Fields that can be selected are strings, booleans and integers of the spec or status.
fn selectable_problem(name: &str, schema: &Value) -> Option<String> {
    const NO_FIELD: &str = "is an invalid path: does not refer to a valid field";
    let unexpected = |rest: &str| {
        let got = rest.split(['.', '[']).next().unwrap_or_default();
        format!("is an invalid path: expected [ or . but got: {got}")
    };
    let Some(rest) = name.strip_prefix('.') else {
        return Some(if name.starts_with('[') {
            NOTATION.to_owned()
        } else {
            unexpected(name)
        });
    };
    if rest.is_empty() {
        return Some("is an invalid path: unexpected end of JSON path".to_owned());
    }
    if rest.contains('[') {
        return Some(NOTATION.to_owned());
    }
    let mut names = rest.split('.').peekable();
    // Metadata is there without being declared, and cannot be selected by a definition.
    let field = match names.peek() {
        Some(&"metadata") => None,
        _ => names.try_fold(schema, |schema, name| schema["properties"].get(name)),
    };
    match field.and_then(|field| field["type"].as_str()) {
        Some("string" | "boolean" | "integer") => None,
        Some(_) => Some(
            "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
                .to_owned(),
        ),
        None => Some(NO_FIELD.to_owned()),
    }
}

const NOTATION: &str = "is an invalid path: array notation is not allowed";

/// Whether a path is one of those that columns and scales can have.
fn is_simple_path(path: &str) -> bool {
    path.starts_with('.') && JsonPath::parse(path).is_some()
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
    let format = text("format");
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        let detail = format!("must be one of {}", COLUMN_FORMATS.join(","));
        errors.push(FieldError::invalid(format!("{path}.format"), format.into(), detail));
    }
    let field = format!("{path}.JSONPath");
    match text("jsonPath") {
        "" => errors.push(FieldError::required(field, "")),
        json_path if !is_simple_path(json_path) => {
            errors.push(FieldError::invalid(field, json_path.into(), NOT_SIMPLE));
        }
        _ => {}
    }
}

fn validate_scale(scale: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (name, roots, required) in [
        ("specReplicasPath", &[".spec"][..], true),
        ("statusReplicasPath", &[".status"][..], true),
        ("labelSelectorPath", &[".spec", ".status"][..], false),
    ] {
        let field = format!("{path}.{name}");
        let value = scale[name].as_str().unwrap_or_default();
        if value.is_empty() {
            if required {
                errors.push(FieldError::required(field, ""));
            }
            continue;
        }
        if !is_simple_path(value) {
            errors.push(FieldError::invalid(field, value.into(), NOT_SIMPLE));
            continue;
        }
        if !roots.iter().any(|root| value.starts_with(&format!("{root}."))) {
            let under = match roots {
                [one] => (*one).to_owned(),
                several => format!("either {}", several.join(" or ")),
            };
            let detail = format!("should be a json path under {under}");
            errors.push(FieldError::invalid(field, value.into(), detail));
        }
    }
}

const NOT_SIMPLE: &str = "must be a simple json path starting with .";

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
