//! What is said of patches that are no JSON, or other JSON than a patch is.

use serde_json::{Map, Value};

use crate::endpoints::options::FieldValidation;
use crate::status::ApiError;

/// The text of a patch as a value.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|_| ApiError::bad_request("invalid JSON patch"))
}

/// A merge patch: an object.
pub(super) fn merge_patch(body: &[u8], validation: FieldValidation) -> Result<Value, ApiError> {
    match parse(body)? {
        patch @ (Value::Object(_) | Value::Array(_)) if validation == FieldValidation::Ignore => Ok(patch),
        patch @ Value::Object(_) => Ok(patch),
        other if validation == FieldValidation::Ignore || other.is_null() => {
            Err(ApiError::bad_request("Invalid JSON Patch"))
        }
        other => Err(ApiError::bad_request(format!(
            "error decoding patch: {}",
            no_map(&other)
        ))),
    }
}

/// A strategic merge patch: an object, or null, which is an empty one.
pub(super) fn strategic_patch(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match parse(body)? {
        Value::Object(patch) => Ok(patch),
        Value::Null => Ok(Map::new()),
        other => Err(ApiError::bad_request(no_map(&other))),
    }
}

fn no_map(value: &Value) -> String {
    let what = description(value);
    format!("json: cannot unmarshal {what} into Go value of type map[string]interface {{}}")
}

/// The word for a value in Go's messages.
pub(super) fn description(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_words_of_go() {
        let merge = |text: &str, validation| {
            merge_patch(text.as_bytes(), validation)
                .unwrap_err()
                .message()
                .to_owned()
        };
        let no_map = "cannot unmarshal array into Go value of type map[string]interface {}";
        assert_eq!(
            merge("[]", FieldValidation::Warn),
            format!("error decoding patch: json: {no_map}")
        );
        assert_eq!(merge("null", FieldValidation::Strict), "Invalid JSON Patch");
        assert_eq!(merge("\"x\"", FieldValidation::Ignore), "Invalid JSON Patch");
        assert_eq!(merge("{", FieldValidation::Ignore), "invalid JSON patch");
        assert_eq!(strategic_patch(b"[]").unwrap_err().message(), format!("json: {no_map}"));
        assert!(strategic_patch(b"null").unwrap().is_empty());
    }
}
