//! Objects and lists in the format that the client accepts, put together from bytes that are encoded once.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;
use kubewire_client::wire::schema::KindSchema;
use kubewire_client::wire::{EncodedObject, Encoding, WireError, envelope, indent_json, transcode};
use serde_json::Value;

use super::negotiation::Format;
use crate::generic::request::Response;
use crate::generic::{respond, yaml};
use crate::registry::{ResourceInfo, StoredObject};
use crate::status::ApiError;

/// What goes before the items of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListMeta {
    pub(crate) resource_version: String,
    pub(crate) continue_token: Option<String>,
    pub(crate) remaining: Option<i64>,
}

/// An answer with a body in this format.
pub(crate) fn answer(status: StatusCode, format: Format, body: Bytes) -> Response {
    respond::bytes(status, format.media_type(), body)
}

/// A stored object of this resource.
pub(crate) fn object(
    stored: &StoredObject,
    info: &ResourceInfo,
    format: Format,
    pretty: bool,
) -> Result<Bytes, ApiError> {
    if format != Format::Protobuf {
        return text(stored.json(), format, pretty);
    }
    let message = stored.protobuf().ok_or_else(no_protobuf)?;
    Ok(enveloped(&info.api_version(), &info.kind, message))
}

/// A document that is not stored, such as a table or the answer of a review.
pub(crate) fn document(value: &Value, kind: &KindSchema, format: Format, pretty: bool) -> Result<Bytes, ApiError> {
    match format {
        Format::Protobuf => {
            let message = transcode::value_to_protobuf(kind.message, value).map_err(internal)?;
            let api_version = value["apiVersion"].as_str().unwrap_or_default();
            Ok(enveloped(api_version, kind.kind, message))
        }
        format => {
            let mut json = Vec::new();
            transcode::write_json(kind.message, value, &mut json);
            text(json.into(), format, pretty)
        }
    }
}

/// A list of stored objects as text; their bytes are copied once, into the answer. For protobuf see
/// [`list_body`](super::list_body).
pub(crate) fn list(
    items: &[Arc<StoredObject>],
    meta: &ListMeta,
    (info, list_kind): (&ResourceInfo, &str),
    format: Format,
    pretty: bool,
) -> Result<Bytes, ApiError> {
    let api_version = info.api_version();
    let size: usize = items.iter().map(|item| item.json().len() + 1).sum();
    let mut json = BytesMut::with_capacity(size + 256);
    json.put_slice(
        format!(
            "{{\"kind\":{},\"apiVersion\":{},\"metadata\":",
            quote(list_kind),
            quote(&api_version)
        )
        .as_bytes(),
    );
    json.put_slice(list_meta(meta).as_bytes());
    json.put_slice(b",\"items\":[");
    let type_meta = format!("\"kind\":{},\"apiVersion\":{}", quote(&info.kind), quote(&api_version));
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            json.put_u8(b',');
        }
        put_item(&mut json, &item.json(), type_meta.as_bytes());
    }
    json.put_slice(b"]}");
    text(json.freeze(), format, pretty)
}

/// Items of a list do not repeat their kind.
fn put_item(list: &mut BytesMut, object: &[u8], type_meta: &[u8]) {
    let rest = object
        .strip_prefix(b"{")
        .and_then(|object| object.strip_prefix(type_meta));
    match rest {
        Some([b',', rest @ ..]) => {
            list.put_u8(b'{');
            list.put_slice(rest);
        }
        _ => list.put_slice(object),
    }
}

/// The metadata of a list as JSON.
pub(crate) fn list_meta(meta: &ListMeta) -> String {
    let mut json = String::from("{");
    let mut field = |name: &str, value: String| {
        let comma = if json.len() > 1 { "," } else { "" };
        json.push_str(&format!("{comma}\"{name}\":{value}"));
    };
    if !meta.resource_version.is_empty() {
        field("resourceVersion", quote(&meta.resource_version));
    }
    if let Some(token) = &meta.continue_token {
        field("continue", quote(token));
    }
    if let Some(remaining) = meta.remaining {
        field("remainingItemCount", remaining.to_string());
    }
    json.push('}');
    json
}

/// JSON text as it is, indented, or as YAML with sorted keys.
pub(crate) fn text(json: Bytes, format: Format, pretty: bool) -> Result<Bytes, ApiError> {
    match format {
        Format::Yaml => {
            let value: Value = serde_json::from_slice(&json).map_err(internal)?;
            Ok(yaml::to_string(&value).into())
        }
        _ if pretty => Ok(indent_json(&json).into()),
        _ => {
            let mut line = BytesMut::with_capacity(json.len() + 1);
            line.put_slice(&json);
            line.put_u8(b'\n');
            Ok(line.freeze())
        }
    }
}

pub(crate) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

pub(crate) fn enveloped(api_version: &str, kind: &str, message: Bytes) -> Bytes {
    let object = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: message,
    };
    envelope::encode(api_version, kind, &object)
}

/// Custom resources have no protobuf form.
pub(crate) fn no_protobuf() -> ApiError {
    ApiError::not_acceptable(&[
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
    ])
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::internal(error)
}

impl From<WireError> for ApiError {
    fn from(error: WireError) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_lists() {
        let meta = ListMeta {
            resource_version: "7".into(),
            continue_token: Some("next\"".into()),
            remaining: Some(3),
        };
        let json = list_meta(&meta);
        assert_eq!(
            json,
            r#"{"resourceVersion":"7","continue":"next\"","remainingItemCount":3}"#
        );
        assert_eq!(list_meta(&ListMeta::default()), "{}");
    }
}
