//! Server-side apply (KEP-555): the client says what it wants and who it is, the server merges and keeps account.

use http::StatusCode;
use kubewire_client::wire::transcode::JsonDocument;
use serde_json::Value;

use super::malformed;
use crate::admission::admit_create;
use crate::endpoints::body;
use crate::endpoints::call::Call;
use crate::endpoints::decode::yaml_to_json;
use crate::endpoints::options::{FieldValidation, WriteOptions};
use crate::endpoints::subresources;
use crate::endpoints::write::{check_name, set_namespace};
use crate::generic::request::{RequestBody, Response};
use crate::registry::managed_fields::FieldManager;
use crate::registry::{UpdateOptions, WriteContext};
use crate::status::{ApiError, FieldError};

/// Applies a configuration: creates the object or merges with it.
pub(super) async fn apply(call: &Call<'_>, request_body: RequestBody) -> Result<Response, ApiError> {
    let options = WriteOptions::parse(&call.query, "PatchOptions", true)?;
    let force = call.query.switch("force").unwrap_or(false);
    let bytes = body::read(call.headers, request_body).await?;
    let (applied, repeated) = parse(&bytes)?;
    check_type(call, &applied)?;
    let is_scale = subresources::is_scale(call);
    let applied = match is_scale {
        true => subresources::scaled(call, &applied),
        false => applied,
    };
    // The managed fields are in the object already.
    let context = WriteContext {
        field_manager: None,
        ..call.write_context(&options)
    };
    let kind = call.resource.body_kind("")?;
    let gvk = kind.gvk();
    let api_version = gvk.api_version();
    let fields = FieldManager {
        shape: kind.shape(),
        kind: &gvk.kind,
        api_version: &api_version,
        subresource: call.subresource(),
        has_status: call.resource.subresource("status").is_some(),
        now: call.clock.now(),
    };
    let manager = options.field_manager.clone().unwrap_or_default();
    let mutate = |live: &Value| {
        if live.is_null() {
            check_uid(call, &applied)?;
        }
        let merged = fields.apply(live, &applied, &manager, force);
        let mut object = merged.map_err(|error| match is_scale {
            true => subresources::about_scale(call, error),
            false => error,
        })?;
        match (&repeated, options.field_validation) {
            (None, _) | (_, FieldValidation::Ignore) => {}
            (Some(problem), FieldValidation::Strict) => {
                let message = format!("error strict decoding patch: error converting YAML to JSON: {problem}");
                return Err(ApiError::bad_request(message));
            }
            (Some(problem), FieldValidation::Warn) => {
                let problem = problem.rsplit("  ").next().unwrap_or_default();
                call.warnings.extend([problem.to_owned()]);
            }
        }
        check_name(call, &object)?;
        set_namespace(call, &mut object)?;
        let typed = JsonDocument::from_value(&object).and_then(|document| kind.typed(&document));
        let (object, _) = typed.map_err(|error| {
            let error = FieldError::invalid("patch", applied.to_string().into(), error.to_string());
            ApiError::invalid("", "", "", vec![error])
        })?;
        Ok(object)
    };
    let store_options = UpdateOptions {
        allow_create: call.subresource().is_none(),
        ..UpdateOptions::default()
    };
    let (namespace, name) = (call.namespace(), call.info.name.as_str());
    let store = &call.resource.store;
    if store
        .get(namespace, name, None)
        .await
        .is_err_and(|error| error.code() == 404)
    {
        admit_create(&call.attributes(), None).await?;
    }
    if is_scale {
        let context = subresources::scale_context(call, context);
        let (updated, _) = store
            .update(&context, namespace, name, None, mutate, store_options)
            .await?;
        return subresources::answer_scale(call, &updated.document());
    }
    let (object, created) = store
        .update(&context, namespace, name, call.subresource(), mutate, store_options)
        .await?;
    let code = if created { StatusCode::CREATED } else { StatusCode::OK };
    call.object(code, &object)
}

/// Reads the configuration, and says which key stands in it twice.
fn parse(bytes: &[u8]) -> Result<(Value, Option<String>), ApiError> {
    let unreadable = |error: String| ApiError::bad_request(format!("error encoding patch: {error}"));
    let (json, repeated) = yaml_to_json(bytes).map_err(unreadable)?;
    let applied: Value = serde_json::from_slice(&json).map_err(ApiError::internal)?;
    if !applied.is_object() && !applied.is_null() {
        let what = malformed::description(&applied);
        return Err(ApiError::bad_request(format!(
            "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {what} into Go \
             value of type map[string]interface {{}}"
        )));
    }
    Ok((applied, repeated))
}

/// The configuration must be of the kind and version of the path.
fn check_type(call: &Call<'_>, applied: &Value) -> Result<(), ApiError> {
    let text = |field: &str| applied[field].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if let Ok(wanted) = call.body_kind().map(|kind| kind.gvk())
        && (api_version, kind) == (wanted.api_version().as_str(), &*wanted.kind)
    {
        return Ok(());
    }
    let slash = if api_version.contains('/') { "" } else { "/" };
    Err(ApiError::bad_request(format!(
        "invalid object type: {slash}{api_version}, Kind={kind}"
    )))
}

/// A configuration for one certain object does not create another.
fn check_uid(call: &Call<'_>, applied: &Value) -> Result<(), ApiError> {
    match applied["metadata"]["uid"].as_str().unwrap_or_default() {
        "" => Ok(()),
        uid => {
            let message =
                format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            Err(ApiError::conflict(
                &call.resource.group_resource(),
                &call.info.name,
                message,
            ))
        }
    }
}
