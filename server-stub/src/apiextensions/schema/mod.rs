//! The schemas of custom resources: OpenAPI v3 with Kubernetes' extensions, and what they mean for objects.

mod defaulting;
mod embedded;
mod formats;
mod list_type;
mod pruning;
mod structural;
#[cfg(test)]
mod tests;
mod unsupported;
mod validation;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Number, Value};

pub(crate) use self::structural::structural_errors;
pub(crate) use self::unsupported::warnings;
pub(crate) use self::validation::{NO_FIELD, is_blocking};

/// What a value may be (`JSONSchemaProps`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) ty: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Value>,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) additional_properties: Option<Additional>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) preserve_unknown_fields: bool,
    /// Whether the object has kind, version and metadata; the root of a custom resource always has.
    pub(crate) embedded_resource: bool,
    pub(crate) int_or_string: bool,
    pub(crate) list_type: Option<String>,
    pub(crate) list_map_keys: Vec<String>,
    pub(crate) map_type: Option<String>,
    /// Whether there are CEL rules here.
    pub(crate) has_rules: bool,
    limits: Limits,
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Box<Schema>>,
}

/// What properties may be that are not declared.
#[derive(Clone, Debug)]
pub(crate) enum Additional {
    Allowed(bool),
    Schema(Box<Schema>),
}

/// The rules for values themselves.
#[derive(Clone, Debug, Default)]
struct Limits {
    required: Vec<String>,
    enumeration: Vec<Value>,
    pattern: Option<(String, Option<Regex>)>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_items: Option<u64>,
    max_items: Option<u64>,
    unique_items: bool,
    min_properties: Option<u64>,
    max_properties: Option<u64>,
    minimum: Option<Number>,
    maximum: Option<Number>,
    exclusive_minimum: bool,
    exclusive_maximum: bool,
    multiple_of: Option<Number>,
}

impl Schema {
    /// A schema out of its document. What makes no sense there is left out: the rules for CustomResourceDefinitions
    /// have refused it before.
    pub(crate) fn parse(document: &Value) -> Self {
        let text = |name: &str| {
            document[name]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let flag = |name: &str| document[name].as_bool().unwrap_or_default();
        let many = |name: &str| elements(document, name).map(Self::parse).collect();
        let one = |name: &str| {
            document[name]
                .is_object()
                .then(|| Box::new(Self::parse(&document[name])))
        };
        let additional = match &document["additionalProperties"] {
            Value::Bool(allowed) => Some(Additional::Allowed(*allowed)),
            schema @ Value::Object(_) => Some(Additional::Schema(Box::new(Self::parse(schema)))),
            _ => None,
        };
        let properties = document["properties"].as_object().into_iter().flatten();
        Self {
            ty: text("type"),
            format: text("format"),
            nullable: flag("nullable"),
            default: document.get("default").filter(|value| !value.is_null()).cloned(),
            properties: properties
                .map(|(name, schema)| (name.clone(), Self::parse(schema)))
                .collect(),
            additional_properties: additional,
            items: one("items"),
            preserve_unknown_fields: flag("x-kubernetes-preserve-unknown-fields"),
            embedded_resource: flag("x-kubernetes-embedded-resource"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            list_type: text("x-kubernetes-list-type"),
            list_map_keys: texts(document, "x-kubernetes-list-map-keys"),
            map_type: text("x-kubernetes-map-type"),
            has_rules: elements(document, "x-kubernetes-validations").next().is_some(),
            limits: Limits::parse(document),
            all_of: many("allOf"),
            any_of: many("anyOf"),
            one_of: many("oneOf"),
            not: one("not"),
        }
    }

    /// The schema of properties that are not declared.
    pub(crate) fn additional_schema(&self) -> Option<&Self> {
        match &self.additional_properties {
            Some(Additional::Schema(schema)) => Some(schema),
            _ => None,
        }
    }

    /// Whether properties that are not declared stay.
    pub(crate) fn preserves_unknown_fields(&self) -> bool {
        self.preserve_unknown_fields || matches!(self.additional_properties, Some(Additional::Allowed(true)))
    }

    /// Whether there are CEL rules here or further inside.
    pub(crate) fn has_rules_inside(&self) -> bool {
        self.has_rules || self.children().any(Self::has_rules_inside)
    }

    fn children(&self) -> impl Iterator<Item = &Self> {
        let items = self.items.as_deref();
        self.properties.values().chain(items).chain(self.additional_schema())
    }
}

impl Limits {
    fn parse(document: &Value) -> Self {
        let count = |name: &str| document[name].as_u64();
        let number = |name: &str| document[name].as_number().cloned();
        let flag = |name: &str| document[name].as_bool().unwrap_or_default();
        let pattern = document["pattern"].as_str().filter(|pattern| !pattern.is_empty());
        Self {
            required: texts(document, "required"),
            enumeration: elements(document, "enum").cloned().collect(),
            pattern: pattern.map(|pattern| (pattern.to_owned(), Regex::new(pattern).ok())),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            unique_items: flag("uniqueItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            minimum: number("minimum"),
            maximum: number("maximum"),
            exclusive_minimum: flag("exclusiveMinimum"),
            exclusive_maximum: flag("exclusiveMaximum"),
            multiple_of: number("multipleOf"),
        }
    }
}

fn elements<'a>(document: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    document[name].as_array().into_iter().flatten()
}

fn texts(document: &Value, name: &str) -> Vec<String> {
    elements(document, name)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// `path.name`, or `name` at the root.
fn member(path: &str, name: &str) -> String {
    match path.is_empty() {
        true => name.to_owned(),
        false => format!("{path}.{name}"),
    }
}
