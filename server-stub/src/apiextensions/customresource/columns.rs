//! The columns that a definition adds to tables.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json_path::JsonPath;
use crate::human_duration::age;

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) format: String,
    /// Of the definition's own columns.
    pub(crate) description: Option<String>,
    pub(crate) priority: i32,
    path: Option<JsonPath>,
}

impl Column {
    /// The columns of a version of a definition; without any, the age of objects.
    pub(super) fn all(version: &Value) -> Vec<Self> {
        match version["additionalPrinterColumns"].as_array() {
            Some(columns) if !columns.is_empty() => columns.iter().map(Self::parse).collect(),
            _ => vec![Self {
                description: None,
                ..Self::parse(&json!({ "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" }))
            }],
        }
    }

    fn parse(column: &Value) -> Self {
        let text = |name: &str| column[name].as_str().unwrap_or_default();
        let path = text("jsonPath");
        let description = match text("description") {
            "" => format!("Custom resource definition column (in JSONPath format): {path}"),
            description => description.to_owned(),
        };
        Self {
            name: text("name").to_owned(),
            ty: text("type").to_owned(),
            format: text("format").to_owned(),
            description: Some(description),
            priority: column["priority"]
                .as_i64()
                .and_then(|number| i32::try_from(number).ok())
                .unwrap_or_default(),
            path: JsonPath::parse(path),
        }
    }

    /// What stands in the column for an object.
    pub(super) fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let values = self.path.as_ref().map(|path| path.all(object)).unwrap_or_default();
        let Some(first) = values.first().filter(|value| !value.is_null()) else {
            return Value::Null;
        };
        match (self.ty.as_str(), first) {
            ("integer", Value::Number(number)) => number.as_i64().or(number.as_f64().map(|n| n as i64)).into(),
            ("number", Value::Number(number)) => number.as_f64().into(),
            ("boolean", Value::Bool(_)) => (*first).clone(),
            ("date", Value::String(_)) => age(first, now).into(),
            ("string", _) => values
                .iter()
                .map(|value| printed(value))
                .collect::<Vec<_>>()
                .join(" ")
                .into(),
            _ => Value::Null,
        }
    }
}

fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
