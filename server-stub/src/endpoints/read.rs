//! get, list and watch.

use std::time::Duration;

use http::StatusCode;
use kubewire_client::wire::schema;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::answer::{self, ListMeta};
use super::call::Call;
use super::list_body;
use super::negotiation::{Accepted, Format, View};
use super::options::{ListOptions, parse_resource_version};
use super::subresources;
use super::table::partial_metadata_value;
use super::watch::{self, EventWriter};
use crate::generic::request::Response;
use crate::registry::ListResult;
use crate::status::ApiError;

/// Reads one object.
pub(crate) async fn get(call: &Call<'_>) -> Result<Response, ApiError> {
    call.accepted()?;
    let version = call.query.first("resourceVersion").unwrap_or_default();
    let version = parse_resource_version(version).map_err(ApiError::unclassified)?;
    let object = call
        .resource
        .store
        .get(call.namespace(), &call.info.name, version)
        .await?;
    match subresources::is_scale(call) {
        true => subresources::answer_scale(call, &object.document()),
        false => call.object(StatusCode::OK, &object),
    }
}

/// Reads a collection.
pub(crate) async fn list(call: &Call<'_>) -> Result<Response, ApiError> {
    let accepted = call.accepted()?;
    let query = call.list_query(ListOptions::parse(&call.query, false)?)?;
    let result = call.resource.store.list(call.namespace(), &query).await?;
    answer_list(call, accepted, result)
}

/// Writes a list in the view that the client asked for.
pub(crate) fn answer_list(call: &Call<'_>, accepted: Accepted, result: ListResult) -> Result<Response, ApiError> {
    let meta = ListMeta {
        resource_version: result.resource_version.to_string(),
        continue_token: result.continue_token.clone(),
        remaining: result.remaining,
    };
    let (format, pretty) = (accepted.format, accepted.pretty);
    let body = match accepted.view {
        View::Object => {
            let mut meta = meta;
            if call.resource.custom().is_some() {
                // Untyped lists always have it.
                meta.continue_token.get_or_insert_default();
            }
            let kind = call.resource.list_kind().ok_or_else(ApiError::method_not_allowed)?;
            if format == Format::Protobuf {
                let api_version = call.resource.info().api_version();
                return list_body::answer(result.items, &meta, (&api_version, kind));
            }
            answer::list(&result.items, &meta, (call.resource.info(), kind), format, pretty)?
        }
        View::Table(_) => {
            let table = call
                .table(accepted.view)?
                .table(result.items.iter().map(|item| &**item), &meta, true)?;
            answer::text(table.into(), format, pretty)?
        }
        View::PartialObjectMetadataList(version) => {
            let items: Vec<Value> = result
                .items
                .iter()
                .map(|item| partial_metadata_value(&item.document(), version))
                .collect();
            let metadata: Value = serde_json::from_str(&answer::list_meta(&meta)).map_err(ApiError::internal)?;
            let items = Some(items).filter(|items| !items.is_empty());
            let list = json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": version.api_version(),
                "metadata": metadata,
                "items": items,
            });
            let gvk = kubewire_client::Gvk::new("meta.k8s.io", "v1", "PartialObjectMetadataList");
            let kind = schema::kind(&gvk).ok_or_else(|| ApiError::internal(format!("no schema of {gvk}")))?;
            answer::document(&list, kind, format, pretty)?
        }
        View::PartialObjectMetadata(_) => {
            let message = format!(
                "you requested PartialObjectMetadata, but the requested object is a list ({}List)",
                call.resource.go_type()
            );
            return Err(ApiError::new(406, "NotAcceptable", message));
        }
    };
    Ok(answer::answer(StatusCode::OK, format, body))
}

/// Follows a collection for as long as the client says, or else for a time between the least and twice as long, so that
/// not all come back at once.
pub(crate) async fn watch(
    call: &Call<'_>,
    min_timeout: Duration,
    stop: CancellationToken,
) -> Result<Response, ApiError> {
    let accepted = call.accepted_stream()?;
    let mut query = call.list_query(ListOptions::parse(&call.query, true)?)?;
    let at_random = || min_timeout.mul_f64(1.0 + call.ids.fraction());
    let timeout = *query.timeout.get_or_insert_with(at_random);
    let events = call.resource.store.watch(call.namespace(), &query).await?;
    let info = call.resource.info();
    let frames = call.resource.frames.clone();
    let sent = call.metrics.watch(&info.group, &info.version, &info.resource);
    let writer = EventWriter::new(accepted, call.table(accepted.view)?, info, frames, sent);
    Ok(watch::respond(events, writer, timeout, stop))
}
