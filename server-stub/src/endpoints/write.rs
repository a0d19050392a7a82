//! create and update.

use http::StatusCode;
use serde_json::Value;

use super::body;
use super::call::Call;
use super::decode::{Decoded, decode};
use super::options::WriteOptions;
use super::subresources;
use crate::admission::admit_create;
use crate::generic::request::{RequestBody, Response};
use crate::registry::{Operation, Preconditions, UpdateOptions};
use crate::status::ApiError;

/// Creates an object, or posts to a subresource.
pub(crate) async fn create(call: &Call<'_>, body: RequestBody) -> Result<Response, ApiError> {
    call.accepted()?;
    if let Some(subresource) = call.subresource() {
        return subresources::create(call, subresource, body).await;
    }
    let options = WriteOptions::parse(&call.query, "CreateOptions", false)?;
    let mut object = read_object(call, body, &options).await?;
    set_namespace(call, &mut object)?;
    let mut context = call.write_context(&options);
    let store = &call.resource.store;
    // What admission adds belongs to nobody.
    store.attribute_new(&mut context, &mut object);
    admit_create(&call.attributes(), Some(&object)).await?;
    let object = context.admission.mutate(Operation::Create, object, None).await?;
    let created = store.create(&context, call.namespace(), object).await?;
    call.object(StatusCode::CREATED, &created)
}

/// Replaces an object or one of its subresources.
pub(crate) async fn update(call: &Call<'_>, body: RequestBody) -> Result<Response, ApiError> {
    call.accepted()?;
    let options = WriteOptions::parse(&call.query, "UpdateOptions", false)?;
    let mut object = read_object(call, body, &options).await?;
    check_name(call, &object)?;
    set_namespace(call, &mut object)?;
    let context = call.write_context(&options);
    let store = &call.resource.store;
    let (namespace, name) = (call.namespace(), call.info.name.as_str());
    let uid = object["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty());
    let options = UpdateOptions {
        preconditions: Preconditions {
            uid: uid.map(str::to_owned),
            resource_version: None,
        },
        ..UpdateOptions::default()
    };
    if subresources::is_scale(call) {
        let context = subresources::scale_context(call, context);
        let mutate = |current: &Value| subresources::write_scale(call, current, &object);
        let (updated, _) = store.update(&context, namespace, name, None, mutate, options).await?;
        return subresources::answer_scale(call, &updated.document());
    }
    if store.strategy().allow_create_on_update() && call.subresource().is_none() {
        // What the cache does not know will be made, as a rule.
        let known = store.get(namespace, name, Some(0)).await;
        if known.is_err() {
            admit_create(&call.attributes(), Some(&object)).await?;
        }
    }
    let mutate = |_: &Value| Ok(object.clone());
    let (updated, created) = store
        .update(&context, namespace, name, call.subresource(), mutate, options)
        .await?;
    let code = if created { StatusCode::CREATED } else { StatusCode::OK };
    call.object(code, &updated)
}

pub(super) async fn read_object(call: &Call<'_>, body: RequestBody, options: &WriteOptions) -> Result<Value, ApiError> {
    let format = body::format(call.headers)?;
    let bytes = body::read(call.headers, body).await?;
    let Decoded { object, warnings } = decode(&bytes, format, call.body_kind()?, options.field_validation)?;
    call.warnings.extend(warnings);
    Ok(object)
}

/// The name in an object that replaces another must be that of the path.
pub(super) fn check_name(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let wanted = &call.info.name;
    match object["metadata"]["name"].as_str().unwrap_or_default() {
        "" => Err(ApiError::bad_request(format!(
            "the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
        ))),
        name if name != wanted => Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({wanted})"
        ))),
        _ => Ok(()),
    }
}

/// Fills in the namespace of the path, which an object may repeat but not contradict; objects of the cluster have none.
pub(super) fn set_namespace(call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
    let wanted = call.namespace();
    let metadata = &mut object["metadata"];
    let given = metadata["namespace"].as_str().unwrap_or_default();
    if wanted.is_empty() {
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("namespace");
        }
        return Ok(());
    }
    if !given.is_empty() && given != wanted {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(ApiError::bad_request(message));
    }
    metadata["namespace"] = wanted.into();
    Ok(())
}
