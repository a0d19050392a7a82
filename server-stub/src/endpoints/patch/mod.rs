//! Patches: apply one to the stored object, check the outcome against the schema, write it back.

mod apply;
pub(crate) mod json;
pub(crate) mod merge;
mod schema;
mod shown;
pub(crate) mod strategic;

use bytes::Bytes;
use http::StatusCode;
use kubewire_client::wire::transcode::JsonDocument;
use serde_json::Value;

use self::schema::FieldRules;
use self::shown::{go_map, patched_text, repeated_members};
use super::body;
use super::call::Call;
use super::options::{FieldValidation, WriteOptions};
use super::resource::BodyKind;
use super::subresources;
use crate::generic::request::{RequestBody, Response};
use crate::registry::UpdateOptions;
use crate::status::{ApiError, FieldError};

const APPLY_PATCH: &str = "application/apply-patch+yaml";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";

/// A patch, decoded and not yet applied.
enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
}

/// Changes parts of an object.
pub(crate) async fn patch(call: &Call<'_>, body: RequestBody) -> Result<Response, ApiError> {
    call.accepted()?;
    let media_type = body::media_type(call.headers);
    if media_type == APPLY_PATCH {
        return apply::apply(call, body).await;
    }
    // Custom resources say nothing of how their lists would be merged.
    let known: &[&str] = match call.resource.custom() {
        None => &[JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH],
        Some(_) => &[JSON_PATCH, MERGE_PATCH, APPLY_PATCH],
    };
    if !known.contains(&media_type.as_str()) {
        return Err(ApiError::unsupported_media_type(known));
    }
    let options = WriteOptions::parse(&call.query, "PatchOptions", false)?;
    let bytes = body::read(call.headers, body).await?;
    let patch = Patch::parse(&media_type, &bytes)?;
    let context = call.write_context(&options);
    let kind = call.body_kind()?;
    let message = kind.schema().map(|kind| kind.message);
    let repeated = repeated_members(&bytes, message);
    let apply = |current: &Value| {
        let patched = patch.apply(current, kind)?;
        let shown = || match &patch {
            Patch::Strategic(patch) => go_map(patch),
            _ => patched_text(&patched, current, message),
        };
        let (object, found) = checked(&patched, kind, options.field_validation, &repeated, shown)?;
        call.warnings.extend(found);
        Ok(object)
    };
    let (namespace, name) = (call.namespace(), call.info.name.as_str());
    let store = &call.resource.store;
    let options = UpdateOptions::default();
    if subresources::is_scale(call) {
        let mutate = |current: &Value| {
            subresources::write_scale(call, current, &apply(&subresources::read_scale(call, current)?)?)
        };
        let updated = store.update(&context, namespace, name, None, mutate, options).await;
        let (updated, _) = updated.map_err(|error| subresources::missing_scale(call, error))?;
        return subresources::answer_scale(call, &updated.document());
    }
    let mutate = |current: &Value| match current {
        // A patch never makes an object, not even where updates do.
        Value::Null => Err(ApiError::not_found(&call.resource.group_resource(), name)),
        current => apply(current),
    };
    let (updated, _) = store
        .update(&context, namespace, name, call.subresource(), mutate, options)
        .await?;
    call.object(StatusCode::OK, &updated)
}

impl Patch {
    fn parse(media_type: &str, bytes: &Bytes) -> Result<Self, ApiError> {
        let object = || -> Result<Value, ApiError> {
            let error = |error| ApiError::bad_request(format!("error decoding patch: {error}"));
            let value: Value = serde_json::from_slice(bytes).map_err(|e: serde_json::Error| error(e.to_string()))?;
            if value.is_object() {
                Ok(value)
            } else {
                Err(error("not an object".to_owned()))
            }
        };
        match media_type {
            JSON_PATCH => json::parse(bytes).map(Self::Json),
            MERGE_PATCH => object().map(Self::Merge),
            _ => object().map(Self::Strategic),
        }
    }

    fn apply(&self, current: &Value, kind: BodyKind<'_>) -> Result<Value, ApiError> {
        match self {
            Self::Json(patch) => json::apply(current, patch),
            Self::Merge(patch) => {
                let mut patched = current.clone();
                merge::merge(&mut patched, patch.clone());
                Ok(patched)
            }
            Self::Strategic(patch) => {
                let (Value::Object(current), Value::Object(patch)) = (current.clone(), patch.clone()) else {
                    return Err(ApiError::unprocessable());
                };
                let rules = kind.schema().map(|kind| FieldRules::of(kind.message));
                let merged = strategic::merge(current, patch, rules);
                merged
                    .map(Value::Object)
                    .map_err(|error| ApiError::bad_request(error.to_string()))
            }
        }
    }
}

/// Reads the patched document as an object of its kind. `repeated` is what was wrong with the patch itself, and `shown`
/// is how messages show what was patched.
fn checked(
    patched: &Value,
    kind: BodyKind<'_>,
    validation: FieldValidation,
    repeated: &[String],
    shown: impl Fn() -> String,
) -> Result<(Value, Vec<String>), ApiError> {
    let invalid = |detail: String| {
        let error = FieldError::invalid("patch", shown().into(), detail);
        ApiError::invalid("", "", "", vec![error])
    };
    let typed = JsonDocument::from_value(patched).and_then(|document| kind.typed(&document));
    let (object, found) = typed.map_err(|error| invalid(error.to_string()))?;
    let problems: Vec<String> = repeated.iter().cloned().chain(found).collect();
    match validation {
        FieldValidation::Strict if !problems.is_empty() => {
            Err(invalid(format!("strict decoding error: {}", problems.join(", "))))
        }
        FieldValidation::Ignore => Ok((object, Vec::new())),
        _ => Ok((object, problems)),
    }
}
