//! delete and deletecollection.

use bytes::Bytes;
use http::StatusCode;
use kubewire_client::Gvk;
use kubewire_client::wire::schema::{self, KindSchema};
use serde_json::{Value, json};

use super::body;
use super::call::Call;
use super::decode::decode;
use super::options::{DeleteOptions, FieldValidation, ListOptions, WriteOptions};
use super::read::answer_list;
use super::resource::{BodyKind, ObjectKind};
use crate::generic::request::{RequestBody, Response};
use crate::registry::{DeleteOptions as StoreDeleteOptions, DeleteOutcome, Preconditions, PropagationPolicy};
use crate::status::ApiError;

/// Deletes one object.
pub(crate) async fn delete(call: &Call<'_>, body: RequestBody) -> Result<Response, ApiError> {
    call.accepted()?;
    let options = read_options(call, body).await?;
    let context = call.write_context(&dry_run(&options));
    let store = &call.resource.store;
    let outcome = store
        .delete(&context, call.namespace(), &call.info.name, store_options(options))
        .await?;
    match outcome {
        DeleteOutcome::Marked(object) => call.object(StatusCode::OK, &object),
        DeleteOutcome::Deleted(object) if store.strategy().returns_deleted_object() => {
            call.object(StatusCode::OK, &object)
        }
        DeleteOutcome::Deleted(object) => {
            let info = call.resource.info();
            let mut details = json!({ "name": call.info.name, "kind": info.resource });
            if !info.group.is_empty() {
                details["group"] = info.group.as_ref().into();
            }
            details["uid"] = object.document()["metadata"]["uid"].clone();
            let status = json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": details,
            });
            call.document(StatusCode::OK, &status, kind("", "Status")?)
        }
    }
}

/// Deletes what is selected.
pub(crate) async fn delete_collection(call: &Call<'_>, body: RequestBody) -> Result<Response, ApiError> {
    let accepted = call.accepted()?;
    let query = call.list_query(ListOptions::parse(&call.query, false)?)?;
    let options = read_options(call, body).await?;
    let context = call.write_context(&dry_run(&options));
    let store = &call.resource.store;
    let deleted = store
        .delete_collection(&context, call.namespace(), &query, store_options(options))
        .await?;
    answer_list(call, accepted, deleted)
}

/// The options are in the body, or in the query where there is no body.
async fn read_options(call: &Call<'_>, body: RequestBody) -> Result<DeleteOptions, ApiError> {
    let bytes = body::read(call.headers, body).await?;
    if bytes.is_empty() {
        return DeleteOptions::from_query(&call.query);
    }
    DeleteOptions::from_body(&decode_options(call, &bytes)?)
}

fn decode_options(call: &Call<'_>, bytes: &Bytes) -> Result<Value, ApiError> {
    let format = body::format(call.headers)?;
    // The kind exists in every group and version; whichever the client names is right.
    let group = match &call.resource.kind {
        ObjectKind::BuiltIn(facts, _) => facts.group,
        ObjectKind::Custom(_) => "",
    };
    let expected = BodyKind::BuiltIn(kind(group, "DeleteOptions")?);
    Ok(decode(bytes, format, expected, FieldValidation::Ignore)?.object)
}

fn kind(group: &'static str, kind: &'static str) -> Result<&'static KindSchema, ApiError> {
    let gvk = Gvk::new(group, "v1", kind);
    schema::kind(&gvk).ok_or_else(|| ApiError::internal(format!("no schema of {gvk}")))
}

pub(super) fn store_options(options: DeleteOptions) -> StoreDeleteOptions {
    StoreDeleteOptions {
        grace_period_seconds: options.grace_period_seconds,
        preconditions: Preconditions {
            uid: options.uid,
            resource_version: options.resource_version,
        },
        propagation_policy: options.propagation_policy.as_deref().and_then(|policy| match policy {
            "Orphan" => Some(PropagationPolicy::Orphan),
            "Foreground" => Some(PropagationPolicy::Foreground),
            "Background" => Some(PropagationPolicy::Background),
            _ => None,
        }),
    }
}

fn dry_run(options: &DeleteOptions) -> WriteOptions {
    WriteOptions {
        dry_run: options.dry_run,
        ..WriteOptions::default()
    }
}
