//! delete and deletecollection.

use http::StatusCode;
use kubewire_client::Gvk;
use kubewire_client::wire::schema::{self, KindSchema};
use serde_json::json;

use super::body;
use super::call::Call;
use super::decode::decode_options;
use super::options::{DeleteOptions, IGNORE_READ_ERROR, ListOptions, parse_resource_version};
use super::read::answer_list;
use super::resource::{BodyKind, ObjectKind};
use crate::generic::request::{RequestBody, Response};
use crate::registry::{
    DeleteOptions as StoreDeleteOptions, DeleteOutcome, Preconditions, PropagationPolicy, VersionMatch,
};
use crate::status::{ApiError, FieldError};

/// Deletes one object.
pub(crate) async fn delete(call: &Call<'_>, body: RequestBody) -> Result<Response, ApiError> {
    call.accepted()?;
    let options = read_options(call, body).await?;
    let context = call.delete_context(&options);
    let store = &call.resource.store;
    warn(call, &options);
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
    let list = ListOptions::parse(&call.query, false)?;
    // Objects in another version than that of the list are not meant.
    let listed = Some(list.resource_version.clone()).filter(|version| !version.is_empty());
    let unreadable = |error: String| ApiError::bad_request(format!("invalid resource version: {error}"));
    parse_resource_version(&list.resource_version).map_err(unreadable)?;
    let mut query = call.list_query(list)?;
    if query.resource_version.is_some_and(|version| version > 0) {
        // It is listed in pages, which are all of one version.
        query.resource_version_match.get_or_insert(VersionMatch::Exact);
    }
    let mut options = read_options(call, body).await?;
    if options.ignore_store_read_error {
        let detail = "is not allowed with DELETECOLLECTION, try again after removing the option";
        let error = FieldError::invalid(IGNORE_READ_ERROR, true.into(), detail);
        return Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", vec![error]));
    }
    options.resource_version = options.resource_version.or(listed);
    let context = call.delete_context(&options);
    let store = &call.resource.store;
    warn(call, &options);
    let deleted = store
        .delete_collection(&context, call.namespace(), &query, store_options(options))
        .await?;
    answer_list(call, accepted, deleted)
}

/// What the client should know of a deletion that leaves it to the server what becomes of dependents.
fn warn(call: &Call<'_>, options: &DeleteOptions) {
    if options.propagation_policy.is_none() {
        let warning = call.resource.store.strategy().default_deletion_warning();
        call.warnings.extend(warning.map(str::to_owned));
    }
}

/// The options are in the body, or in the query where there is no body.
async fn read_options(call: &Call<'_>, body: RequestBody) -> Result<DeleteOptions, ApiError> {
    let bytes = body::read(call.headers, body).await?;
    if bytes.is_empty() {
        return DeleteOptions::from_query(&call.query);
    }
    let format = body::format(call.headers)?;
    DeleteOptions::from_body(&decode_options(&bytes, format, options_kind(call)?)?)
}

/// The kind exists in every group and version; whichever the client names is right.
fn options_kind(call: &Call<'_>) -> Result<BodyKind<'static>, ApiError> {
    let group = match &call.resource.kind {
        ObjectKind::BuiltIn(facts, _) => facts.group,
        ObjectKind::Custom(_) => "",
    };
    kind(group, "DeleteOptions").map(BodyKind::BuiltIn)
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
        ignore_store_read_error: options.ignore_store_read_error,
    }
}
