//! Where OpenAPI 2 and 3 write the same things differently.

use serde_json::{Map, Value, json};

use super::parameters::Parameter;
use super::route::{Body, Schema};

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V2,
    V3,
}

impl Dialect {
    /// A reference to a schema.
    pub(super) fn reference(self, name: &str) -> Value {
        match self {
            Self::V2 => json!({"$ref": format!("#/definitions/{name}")}),
            Self::V3 => json!({"$ref": format!("#/components/schemas/{name}")}),
        }
    }

    /// A parameter in a path or query.
    pub(super) fn parameter(self, parameter: &Parameter) -> Value {
        let mut written = json!({"name": parameter.name, "in": parameter.place.name()});
        if !parameter.description.is_empty() {
            written["description"] = parameter.description.as_ref().into();
        }
        if parameter.place.is_required() {
            written["required"] = true.into();
        }
        match self {
            Self::V2 => {
                written["type"] = parameter.ty.into();
                written["uniqueItems"] = true.into();
            }
            Self::V3 => written["schema"] = json!({"type": parameter.ty, "uniqueItems": true}),
        }
        written
    }

    /// An answer with an object or text.
    pub(super) fn response(self, description: &str, schema: &Schema, produces: &[&str]) -> Value {
        let schema = match schema {
            Schema::Text => json!({"type": "string"}),
            Schema::Named(name) => self.reference(name),
        };
        match self {
            Self::V2 => json!({"description": description, "schema": schema}),
            Self::V3 => json!({"description": description, "content": content(produces, &schema)}),
        }
    }

    /// Adds a body to an operation.
    pub(super) fn add_body(self, operation: &mut Value, body: &Body, consumes: &[&str]) {
        let schema = self.reference(&body.schema);
        let mut written = match self {
            Self::V2 => json!({"name": "body", "in": "body", "schema": schema}),
            Self::V3 => json!({"content": content(consumes, &schema)}),
        };
        if body.required {
            written["required"] = true.into();
        }
        match (self, operation.get_mut("parameters").and_then(Value::as_array_mut)) {
            // Parameters are sorted by name, and no other comes before `body`, except those of watches.
            (Self::V2, Some(parameters)) => {
                let place = parameters.partition_point(|parameter| parameter["name"].as_str() < Some("body"));
                parameters.insert(place, written);
            }
            (Self::V2, None) => operation["parameters"] = json!([written]),
            (Self::V3, _) => operation["requestBody"] = written,
        }
    }
}

fn content(media_types: &[&str], schema: &Value) -> Map<String, Value> {
    media_types
        .iter()
        .map(|&media_type| (media_type.to_owned(), json!({"schema": schema})))
        .collect()
}
