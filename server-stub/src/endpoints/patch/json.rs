//! JSON patch (RFC 6902) as kube-apiserver takes it: bounded in operations and in what `copy` may add, and more lenient
//! than the RFC. `add` and `replace` without a value set null, `replace` makes a member that is missing, and negative
//! indexes count from the end.

use kubewire_client::wire::transcode::JsonDocument;
use serde_json::{Map, Value};

use super::malformed;
use crate::endpoints::options::{FieldValidation, number_error};
use crate::field_error::quote;
use crate::status::ApiError;

const MAX_OPERATIONS: usize = 10_000;
/// As many bytes as a request may have.
const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;
/// The members of an operation.
const MEMBERS: [&str; 4] = ["op", "path", "from", "value"];

/// The operations of a patch.
#[derive(Debug)]
pub(crate) struct JsonPatch {
    operations: Vec<Map<String, Value>>,
}

/// Why an operation does not fit the object, in the words of the library that kube-apiserver uses.
#[derive(Debug)]
struct Misfit(String);

/// Nothing is where something is meant to be.
const MISSING: &str = "missing value";

impl JsonPatch {
    /// Decodes the operations; with field validation they are checked more closely, as in kube-apiserver.
    pub(crate) fn parse(body: &[u8], validation: FieldValidation) -> Result<Self, ApiError> {
        let operations = match malformed::parse(body)? {
            Value::Null => Vec::new(),
            Value::Array(operations) => operations,
            other => return Err(refused(&other, validation, "[]handlers.jsonPatchOp", "jsonpatch.Patch")),
        };
        let operations = operations.into_iter().map(|operation| match operation {
            Value::Null => Ok(Map::new()),
            Value::Object(members) => check_texts(&members, validation).map(|()| members),
            other => Err(refused(
                &other,
                validation,
                "handlers.jsonPatchOp",
                "jsonpatch.Operation",
            )),
        });
        let operations = operations.collect::<Result<Vec<_>, _>>()?;
        if operations.len() > MAX_OPERATIONS {
            let message = format!(
                "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
                operations.len()
            );
            return Err(ApiError::new(413, "RequestEntityTooLarge", message));
        }
        Ok(Self { operations })
    }

    /// Decodes the operations of a webhook, which are not checked more closely; the error is the bare reason.
    pub(crate) fn of_webhook(patch: &[u8]) -> Result<Self, String> {
        JsonDocument::parse(patch).map_err(|error| error.to_string())?;
        Self::parse(patch, FieldValidation::Ignore).map_err(|error| error.message().to_owned())
    }

    /// Whether nothing is to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Applies every operation, or none when one fails.
    pub(crate) fn apply(&self, target: &Value) -> Result<Value, ApiError> {
        self.try_apply(target).map_err(|_| ApiError::unprocessable())
    }

    /// The same; the error says which operation does not fit.
    pub(crate) fn try_apply(&self, target: &Value) -> Result<Value, String> {
        let mut out = target.clone();
        let mut copied = 0;
        for operation in &self.operations {
            apply(&mut out, operation, &mut copied).map_err(|Misfit(why)| why)?;
        }
        Ok(out)
    }
}

/// Whether a member of an operation has a meaning.
pub(super) fn is_member(name: &str) -> bool {
    MEMBERS.contains(&name)
}

fn refused(value: &Value, validation: FieldValidation, checked: &str, unchecked: &str) -> ApiError {
    let what = malformed::description(value);
    ApiError::bad_request(match validation {
        FieldValidation::Ignore => format!("json: cannot unmarshal {what} into Go value of type {unchecked}"),
        _ => format!("error decoding patch: json: cannot unmarshal {what} into Go value of type {checked}"),
    })
}

fn check_texts(operation: &Map<String, Value>, validation: FieldValidation) -> Result<(), ApiError> {
    let texts = ["op", "path", "from"].into_iter();
    let mut wrong = texts.filter_map(|name| Some((name, operation.get(name)?)));
    match wrong.find(|(_, value)| !value.is_string() && !value.is_null()) {
        Some((name, value)) if validation != FieldValidation::Ignore => {
            let what = malformed::description(value);
            Err(ApiError::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {what} into Go struct field jsonPatchOp.{name} of type string"
            )))
        }
        _ => Ok(()),
    }
}

fn apply(document: &mut Value, operation: &Map<String, Value>, copied: &mut usize) -> Result<(), Misfit> {
    let text = |name: &str| operation.get(name).and_then(Value::as_str);
    let op = text("op").unwrap_or_default();
    let undecodable = |what: &str| Misfit(format!("{op} operation failed to decode {what}: {MISSING}"));
    let path = text("path").ok_or_else(|| undecodable("path"))?;
    let from = || text("from").ok_or_else(|| undecodable("from"));
    let absent = |what: &str, path: &str| {
        Misfit(format!(
            "{op} operation does not apply: doc is missing {what}: {path}: {MISSING}"
        ))
    };
    let at = |Misfit(why)| Misfit(format!("error in {op} for path: '{path}': {why}"));
    let value = operation.get("value");
    match op {
        "add" => place(document, path)
            .ok_or_else(|| absent("path", &quote(path)))?
            .add(value.cloned().unwrap_or_default())
            .map_err(at),
        "remove" => place(document, path)
            .ok_or_else(|| absent("path", &quote(path)))?
            .remove()
            .map(drop)
            .map_err(at),
        "replace" if path.is_empty() => {
            let value = value.filter(|value| value.is_object() || value.is_array());
            *document = value
                .ok_or_else(|| Misfit(format!("replace operation value must be object or array: {MISSING}")))?
                .clone();
            Ok(())
        }
        "replace" => place(document, path)
            .ok_or_else(|| absent("path", path))?
            .set(value.cloned().unwrap_or_default())
            .map_err(|_| absent("key", path)),
        "move" => {
            let from = place(document, from()?).ok_or_else(|| absent("from path", path))?;
            let moved = from.remove().map_err(at)?;
            let to = place(document, path).ok_or_else(|| absent("destination path", path))?;
            to.add(moved).map_err(at)
        }
        "copy" => {
            let from = place(document, from()?).ok_or_else(|| absent("from path", path))?;
            let copy = from.get().map_err(at)?.clone();
            *copied += copy.to_string().len();
            if *copied > MAX_COPIED_BYTES {
                let limit = MAX_COPIED_BYTES;
                return Err(Misfit(format!(
                    "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit \
                     {limit}"
                )));
            }
            let to = place(document, path).ok_or_else(|| absent("destination path", path))?;
            to.add(copy).map_err(at)
        }
        "test" => {
            let found = match path {
                "" => &*document,
                path => place(document, path)
                    .ok_or_else(|| absent("path", path))?
                    .get()
                    .map_err(|Misfit(why)| Misfit(format!("error in test for path: '{path}': {why}")))?,
            };
            match found == value.unwrap_or(&Value::Null) {
                true => Ok(()),
                false => Err(Misfit(format!("testing value {path} failed: test failed"))),
            }
        }
        other => Err(Misfit(format!("Unexpected kind: {other}"))),
    }
}

/// Where a pointer ends: a container, and the name or index in it.
enum Place<'a> {
    Member(&'a mut Map<String, Value>, String),
    Element(&'a mut Vec<Value>, String),
}

/// Follows a pointer. What stands before its first slash does not count.
fn place<'a>(document: &'a mut Value, path: &str) -> Option<Place<'a>> {
    let (_, path) = path.split_once('/')?;
    let (parents, key) = path
        .rsplit_once('/')
        .map_or((None, path), |(parents, key)| (Some(parents), key));
    let mut at = document;
    for part in parents.into_iter().flat_map(|parents| parents.split('/')) {
        at = match at {
            Value::Object(members) => members.get_mut(&unescaped(part))?,
            Value::Array(elements) => {
                let index = index(&unescaped(part), elements.len()).ok()?;
                elements.get_mut(index)?
            }
            _ => return None,
        };
    }
    match at {
        Value::Object(members) => Some(Place::Member(members, unescaped(key))),
        Value::Array(elements) => Some(Place::Element(elements, unescaped(key))),
        _ => None,
    }
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// The place in a list of a length. Negative numbers count from the end.
fn index(text: &str, length: usize) -> Result<usize, Misfit> {
    let number: isize = text
        .parse()
        .map_err(|error| Misfit(number_error("Atoi", text, &error)))?;
    match usize::try_from(number) {
        Ok(index) => Ok(index),
        Err(_) => length
            .checked_sub(number.unsigned_abs())
            .ok_or_else(|| invalid_index(number)),
    }
}

fn invalid_index(index: impl std::fmt::Display) -> Misfit {
    Misfit(format!(
        "Unable to access invalid index: {index}: invalid index referenced"
    ))
}

impl<'a> Place<'a> {
    /// What is there; null for a member that is missing.
    fn get(self) -> Result<&'a Value, Misfit> {
        match self {
            Self::Member(members, name) => Ok(members.get(&name).unwrap_or(&Value::Null)),
            Self::Element(elements, key) => {
                let index = index(&key, elements.len())?;
                elements.get(index).ok_or_else(|| invalid_index(index))
            }
        }
    }

    fn set(self, value: Value) -> Result<(), Misfit> {
        match self {
            Self::Member(members, name) => {
                members.insert(name, value);
            }
            Self::Element(elements, key) => {
                let index = index(&key, elements.len())?;
                *elements.get_mut(index).ok_or_else(|| invalid_index(index))? = value;
            }
        }
        Ok(())
    }

    fn add(self, value: Value) -> Result<(), Misfit> {
        let (elements, key) = match self {
            Self::Element(elements, key) => (elements, key),
            member => return member.set(value),
        };
        if key == "-" {
            elements.push(value);
            return Ok(());
        }
        let index = index(&key, elements.len() + 1)?;
        match index <= elements.len() {
            true => elements.insert(index, value),
            false => return Err(invalid_index(index)),
        }
        Ok(())
    }

    fn remove(self) -> Result<Value, Misfit> {
        match self {
            Self::Member(members, name) => {
                let absent = || Misfit(format!("Unable to remove nonexistent key: {name}: {MISSING}"));
                members.remove(&name).ok_or_else(absent)
            }
            Self::Element(elements, key) => {
                let index = index(&key, elements.len())?;
                match index < elements.len() {
                    true => Ok(elements.remove(index)),
                    false => Err(invalid_index(index)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(patch: Value) -> Result<Value, ApiError> {
        let patch = JsonPatch::parse(patch.to_string().as_bytes(), FieldValidation::Warn)?;
        patch.apply(&json!({"a": {"b": [1, 2]}}))
    }

    #[test]
    fn operations() {
        let patch = json!([
            {"op": "test", "path": "/a/b/0", "value": 1},
            {"op": "add", "path": "/a/b/-", "value": 3},
            {"op": "remove", "path": "/a/b/0"},
            {"op": "copy", "from": "/a/b", "path": "/c"},
            {"op": "move", "from": "/a", "path": "/m~1n"},
            {"op": "add", "path": "/c/-1", "value": 4},
        ]);
        assert_eq!(patched(patch).unwrap(), json!({"m/n": {"b": [2, 3]}, "c": [2, 3, 4]}));
    }

    #[test]
    fn lenient_where_kube_apiserver_is() {
        let one = |operation: Value| patched(json!([operation]));
        let base = json!({"a": {"b": [1, 2]}});
        assert_eq!(one(json!({"op": "test", "path": "/zz", "value": null})).unwrap(), base);
        assert_eq!(one(json!({"op": "test", "path": "/zz"})).unwrap(), base);
        assert_eq!(
            one(json!({"op": "replace", "path": "/zz", "value": 1})).unwrap()["zz"],
            1
        );
        assert_eq!(one(json!({"op": "replace", "path": "/a"})).unwrap(), json!({"a": null}));
        assert_eq!(
            one(json!({"op": "copy", "from": "/zz", "path": "/a"})).unwrap(),
            json!({"a": null})
        );
        assert_eq!(
            one(json!({"op": "add", "path": "x/a", "value": 1})).unwrap(),
            json!({"a": 1})
        );
        assert_eq!(
            one(json!({"op": "replace", "path": "", "value": {}})).unwrap(),
            json!({})
        );
        assert_eq!(patched(Value::Null).unwrap(), base);
    }

    #[test]
    fn a_failing_operation_is_422_and_a_malformed_patch_400() {
        let error = |patch| patched(patch).unwrap_err();
        for misfit in [
            json!({"op": "test", "path": "/a", "value": 1}),
            json!({"op": "remove", "path": "/nosuch"}),
            json!({"op": "add", "path": "/nosuch/x", "value": 1}),
            json!({"op": "add", "path": "/a/b/9", "value": 1}),
            json!({"op": "add", "path": "/a/b/x", "value": 1}),
            json!({"op": "move", "path": "/a"}),
            json!({"op": "frob", "path": "/a"}),
            json!({"path": "/a"}),
            json!({"op": "add", "value": 1}),
            Value::Null,
        ] {
            assert_eq!(error(json!([misfit])).code(), 422, "{misfit}");
        }
        assert_eq!(
            error(json!({"op": "add"})).message(),
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        );
        assert_eq!(
            error(json!([{"op": 1}])).message(),
            "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"
        );
        let unchecked = JsonPatch::parse(b"[1]", FieldValidation::Ignore).unwrap_err();
        assert_eq!(
            unchecked.message(),
            "json: cannot unmarshal number into Go value of type jsonpatch.Operation"
        );
        assert_eq!(
            JsonPatch::parse(b"[{", FieldValidation::Warn).unwrap_err().message(),
            "invalid JSON patch"
        );
    }

    #[test]
    fn copies_cannot_grow_without_bound() {
        let mut operations = vec![json!({"op": "add", "path": "/x", "value": ["y".repeat(1000)]})];
        operations.extend((0..40).map(|_| json!({"op": "copy", "from": "/x", "path": "/x/-"})));
        assert_eq!(patched(Value::Array(operations)).unwrap_err().code(), 422);
    }
}
