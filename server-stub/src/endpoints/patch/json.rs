//! JSON patch (RFC 6902), bounded in operations and in what `copy` may add.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use crate::status::ApiError;

const MAX_OPERATIONS: usize = 10_000;
/// As many bytes as a request may have.
const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;

/// Decodes the operations of a patch.
pub(crate) fn parse(body: &[u8]) -> Result<Patch, ApiError> {
    let patch: Patch = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    if patch.len() > MAX_OPERATIONS {
        let message = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            patch.len()
        );
        return Err(ApiError::new(413, "RequestEntityTooLarge", message));
    }
    Ok(patch)
}

/// Applies every operation, or none when one fails.
pub(crate) fn apply(target: &Value, patch: &Patch) -> Result<Value, ApiError> {
    let mut out = target.clone();
    let mut copied = 0;
    for operation in patch.iter() {
        if let PatchOperation::Copy(copy) = operation {
            copied += out
                .pointer(copy.from.as_str())
                .map_or(0, |value| value.to_string().len());
        }
        if copied > MAX_COPIED_BYTES || json_patch::patch(&mut out, std::slice::from_ref(operation)).is_err() {
            return Err(ApiError::unprocessable());
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(patch: Value) -> Result<Value, ApiError> {
        apply(&json!({"a": {"b": [1, 2]}}), &parse(patch.to_string().as_bytes())?)
    }

    #[test]
    fn operations() {
        let patch = json!([
            {"op": "test", "path": "/a/b/0", "value": 1},
            {"op": "add", "path": "/a/b/-", "value": 3},
            {"op": "remove", "path": "/a/b/0"},
            {"op": "copy", "from": "/a/b", "path": "/c"},
        ]);
        assert_eq!(patched(patch).unwrap(), json!({"a": {"b": [2, 3]}, "c": [2, 3]}));
    }

    #[test]
    fn a_failing_operation_is_422_and_a_malformed_patch_400() {
        let code = |patch| patched(patch).unwrap_err().code();
        assert_eq!(code(json!([{"op": "test", "path": "/a", "value": 1}])), 422);
        assert_eq!(code(json!([{"op": "remove", "path": "/nosuch"}])), 422);
        assert_eq!(code(json!({"op": "add"})), 400);
    }

    #[test]
    fn copies_cannot_grow_without_bound() {
        let mut operations = vec![json!({"op": "add", "path": "/x", "value": ["y".repeat(1000)]})];
        operations.extend((0..40).map(|_| json!({"op": "copy", "from": "/x", "path": "/x/-"})));
        assert_eq!(patched(Value::Array(operations)).unwrap_err().code(), 422);
    }
}
