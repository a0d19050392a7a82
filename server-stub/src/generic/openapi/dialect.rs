//! Where OpenAPI 2 and 3 write the same things differently.

use serde_json::{Value, json};

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V2,
    V3,
}

/// What bodies and answers can be written in.
pub(super) const MEDIA_TYPES: [&str; 3] = [
    "application/json",
    "application/vnd.kubernetes.protobuf",
    "application/yaml",
];

impl Dialect {
    /// A reference to a schema.
    pub(super) fn reference(self, name: &str) -> Value {
        match self {
            Self::V2 => json!({"$ref": format!("#/definitions/{name}")}),
            Self::V3 => json!({"$ref": format!("#/components/schemas/{name}")}),
        }
    }

    /// A parameter in a path or query.
    pub(super) fn parameter(self, name: &str, place: &str, ty: &str) -> Value {
        let mut parameter = json!({"name": name, "in": place});
        if place == "path" {
            parameter["required"] = true.into();
        }
        match self {
            Self::V2 => {
                parameter["type"] = ty.into();
                parameter["uniqueItems"] = true.into();
            }
            Self::V3 => parameter["schema"] = json!({"type": ty, "uniqueItems": true}),
        }
        parameter
    }

    /// An answer with an object.
    pub(super) fn response(self, description: &str, schema: &str) -> Value {
        let schema = self.reference(schema);
        match self {
            Self::V2 => json!({"description": description, "schema": schema}),
            Self::V3 => json!({"description": description, "content": content(&MEDIA_TYPES, &schema)}),
        }
    }

    /// Adds a body to an operation.
    pub(super) fn add_body(self, operation: &mut Value, media_types: &[&str], schema: &str, required: bool) {
        let schema = self.reference(schema);
        match self {
            Self::V2 => {
                let mut body = json!({"name": "body", "in": "body", "schema": schema});
                if required {
                    body["required"] = true.into();
                }
                operation["consumes"] = media_types.into();
                if let Some(parameters) = operation["parameters"].as_array_mut() {
                    parameters.push(body);
                }
            }
            Self::V3 => {
                operation["requestBody"] = json!({"content": content(media_types, &schema)});
                if required {
                    operation["requestBody"]["required"] = true.into();
                }
            }
        }
    }
}

fn content(media_types: &[&str], schema: &Value) -> Value {
    media_types
        .iter()
        .map(|&media_type| (media_type.to_owned(), json!({"schema": schema})))
        .collect()
}
