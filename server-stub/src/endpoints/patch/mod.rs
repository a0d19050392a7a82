//! Patches: apply one to the stored object, check the outcome against the schema, write it back.

mod apply;
mod json;
mod malformed;
mod merge;
mod outcome;
mod schema;
mod shown;
mod strategic;
mod unstructured;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

pub(crate) use self::json::JsonPatch;
use self::outcome::Outcome;
use self::schema::FieldRules;
use self::strategic::StrategicError;
use super::body;
use super::call::Call;
use super::options::{FieldValidation, WriteOptions};
use super::resource::BodyKind;
use super::subresources;
use super::write::{check_name, set_namespace};
use crate::generic::request::{RequestBody, Response};
use crate::registry::UpdateOptions;
use crate::status::ApiError;

const APPLY_PATCH: &str = "application/apply-patch+yaml";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";

/// A patch, decoded and not yet applied.
enum Patch {
    Json(JsonPatch),
    Merge(Value),
    Strategic(Map<String, Value>),
}

/// Changes parts of an object.
pub(crate) async fn patch(call: &Call<'_>, body: RequestBody) -> Result<Response, ApiError> {
    let media_type = media_type(call)?;
    if media_type == APPLY_PATCH {
        call.accepted()?;
        return apply::apply(call, body).await;
    }
    call.accepted()?;
    let bytes = body::read(call.headers, body).await?;
    let options = WriteOptions::parse(&call.query, "PatchOptions", false)?;
    malformed::parse(&bytes)?;
    let context = call.write_context(&options);
    let kind = call.body_kind()?;
    // A patch for an object that is missing is not looked at more closely.
    let patch = Patch::parse(&media_type, &bytes, options.field_validation);
    let outcome = Outcome {
        kind,
        validation: options.field_validation,
        odd: odd_members(&media_type, &bytes, kind),
    };
    let apply = |current: &Value| {
        let (mut object, warnings) = outcome.of(patch.as_ref().map_err(Clone::clone)?, current)?;
        call.warnings.extend(warnings);
        set_namespace(call, &mut object)?;
        check_name(call, &object)?;
        Ok(object)
    };
    let (namespace, name) = (call.namespace(), call.info.name.as_str());
    let store = &call.resource.store;
    let options = UpdateOptions::default();
    // A patch never makes an object, not even where updates do.
    let existing = |current: &Value| match current {
        Value::Null => Err(ApiError::not_found(&call.resource.group_resource(), name)),
        _ => Ok(()),
    };
    if subresources::is_scale(call) {
        let mutate = |current: &Value| {
            existing(current)?;
            let scale = apply(&subresources::read_scale(call, current)?)?;
            check_name(call, &scale)?;
            subresources::write_scale(call, current, &scale)
        };
        let context = subresources::scale_context(call, context);
        let (updated, _) = store.update(&context, namespace, name, None, mutate, options).await?;
        return subresources::answer_scale(call, &updated.document());
    }
    let mutate = |current: &Value| {
        existing(current)?;
        apply(current)
    };
    let (updated, _) = store
        .update(&context, namespace, name, call.subresource(), mutate, options)
        .await?;
    call.object(StatusCode::OK, &updated)
}

/// What kind of patch the body is.
fn media_type(call: &Call<'_>) -> Result<String, ApiError> {
    let header = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let header = header.unwrap_or_default();
    let plain = |piece: &str| piece.split(';').next().unwrap_or_default().to_owned();
    // Custom resources say nothing of how their lists would be merged.
    let known: &[&str] = match call.resource.custom() {
        None => &[JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH],
        Some(_) => &[JSON_PATCH, MERGE_PATCH, APPLY_PATCH],
    };
    // The paths of built-in resources are served by a framework that looks first, and less closely.
    let is_routed = header.split(',').any(|piece| known.contains(&plain(piece).trim()));
    if call.resource.custom().is_none() && !is_routed {
        return Err(ApiError::no_such_consumer());
    }
    let media_type = plain(header);
    match known.contains(&media_type.as_str()) {
        true => Ok(media_type),
        false => Err(ApiError::unsupported_media_type(known)),
    }
}

impl Patch {
    fn parse(media_type: &str, bytes: &Bytes, validation: FieldValidation) -> Result<Self, ApiError> {
        match media_type {
            JSON_PATCH => JsonPatch::parse(bytes, validation).map(Self::Json),
            MERGE_PATCH => malformed::merge_patch(bytes, validation).map(Self::Merge),
            _ => malformed::strategic_patch(bytes).map(Self::Strategic),
        }
    }

    fn apply(&self, current: &Value, kind: BodyKind<'_>) -> Result<Value, ApiError> {
        match self {
            Self::Json(patch) => patch.apply(current),
            Self::Merge(patch) => {
                let mut patched = current.clone();
                merge::merge(&mut patched, patch.clone());
                Ok(patched)
            }
            Self::Strategic(patch) => {
                let Value::Object(current) = current.clone() else {
                    return Err(ApiError::unprocessable());
                };
                let rules = kind.schema().map(|kind| FieldRules::of(kind.message));
                let merged = strategic::merge(current, patch.clone(), rules);
                merged.map(Value::Object).map_err(|error| match error {
                    StrategicError::BadRetainKeys => ApiError::bad_request(error.to_string()),
                    other => ApiError::unclassified(other.to_string()),
                })
            }
        }
    }
}

/// The members of a patch that have no meaning or stand twice, in the words of warnings.
fn odd_members(media_type: &str, bytes: &[u8], kind: BodyKind<'_>) -> Vec<String> {
    match media_type {
        JSON_PATCH => shown::odd_operations(bytes),
        _ => shown::repeated_members(bytes, kind.schema().map(|kind| kind.message)),
    }
}
