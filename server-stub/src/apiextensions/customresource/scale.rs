//! The scale of custom resources: where their numbers of replicas are.

use serde_json::{Value, json};

use super::json_path::JsonPath;
use crate::registry::subresources::scale;
use crate::status::{ApiError, FieldError};

/// The fields behind the subresource `scale`.
#[derive(Clone, Debug)]
pub(crate) struct ScalePaths {
    spec_replicas: String,
    status_replicas: String,
    label_selector: String,
}

impl ScalePaths {
    /// What a definition says; `None` where there is no such subresource.
    pub(super) fn parse(scale: &Value) -> Option<Self> {
        let text = |name: &str| scale[name].as_str().unwrap_or_default().to_owned();
        scale.is_object().then(|| Self {
            spec_replicas: text("specReplicasPath"),
            status_replicas: text("statusReplicasPath"),
            label_selector: text("labelSelectorPath"),
        })
    }

    /// The path of the wished-for number of replicas.
    pub(crate) fn replicas(&self) -> Vec<&str> {
        self.spec_replicas.trim_start_matches('.').split('.').collect()
    }

    /// The scale of an object.
    pub(crate) fn read(&self, object: &Value) -> Result<Value, ApiError> {
        let wanted = number(object, &self.spec_replicas).map_err(ApiError::internal)?;
        let Some(wanted) = wanted else {
            let message = format!("the spec replicas field {:?} does not exist", self.spec_replicas);
            return Err(ApiError::internal(message));
        };
        let current = number(object, &self.status_replicas).ok().flatten().unwrap_or_default();
        let selector = JsonPath::parse(&self.label_selector).and_then(|path| path.first(object)?.as_str());
        Ok(scale::of_object(object, wanted, current, selector.unwrap_or_default()))
    }

    /// What is wrong with the numbers of an object.
    pub(super) fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for path in [&self.spec_replicas, &self.status_replicas] {
            let problem = match number(object, path) {
                Err(detail) => Some((0, detail)),
                Ok(Some(value)) if value < 0 => Some((value, "should be a non-negative integer".to_owned())),
                Ok(Some(value)) if value > i64::from(i32::MAX) => {
                    Some((value, format!("should be less than or equal to {}", i32::MAX)))
                }
                Ok(_) => None,
            };
            errors.extend(problem.map(|(value, detail)| FieldError::invalid(path.as_str(), json!(value), detail)));
        }
        if !self.label_selector.is_empty()
            && let Some(value) = JsonPath::parse(&self.label_selector).and_then(|path| path.first(object))
            && !value.is_string()
        {
            let detail = accessor_error(&self.label_selector, value, "string");
            errors.push(FieldError::invalid(self.label_selector.as_str(), "".into(), detail));
        }
        errors
    }
}

/// The integer at a path; an error for anything else there.
fn number(object: &Value, path: &str) -> Result<Option<i64>, String> {
    let Some(value) = JsonPath::parse(path).and_then(|path| path.first(object)) else {
        return Ok(None);
    };
    match value.as_i64().filter(|_| !value.is_f64()) {
        Some(number) => Ok(Some(number)),
        None => Err(accessor_error(path, value, "int64")),
    }
}

/// What Go says of a value of another type.
fn accessor_error(path: &str, value: &Value, expected: &str) -> String {
    let (text, kind) = match value {
        Value::Null => ("<nil>".to_owned(), "<nil>"),
        Value::Bool(value) => (value.to_string(), "bool"),
        Value::Number(number) if number.is_f64() => (number.as_f64().unwrap_or_default().to_string(), "float64"),
        Value::Number(number) => (number.to_string(), "int64"),
        Value::String(text) => (text.clone(), "string"),
        Value::Array(_) => (value.to_string(), "[]interface {}"),
        Value::Object(_) => (value.to_string(), "map[string]interface {}"),
    };
    format!("{path} accessor error: {text} is of the type {kind}, expected {expected}")
}
