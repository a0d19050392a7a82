//! An object without a Rust type.

use bytes::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::ApiResource;
use crate::resource::Gvk;
use crate::wire::{EncodedObject, Encoding, WireError, schema, transcode};

/// An object of any kind: its metadata, and everything else as JSON.
///
/// ```
/// use kubewire_client::dynamic::DynamicObject;
/// let object: DynamicObject = serde_json::from_value(serde_json::json!({
///     "apiVersion": "shop.example/v1", "kind": "Order",
///     "metadata": { "name": "a-17" },
///     "spec": { "items": 3 },
/// }))?;
/// assert_eq!(object.metadata.name.as_deref(), Some("a-17"));
/// assert_eq!(object.data["spec"]["items"], 3);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DynamicObject {
    /// Group and version, as in `apps/v1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// Everything else: `spec`, `status`, `data` …
    #[serde(flatten)]
    pub data: Map<String, Value>,
}

impl DynamicObject {
    /// An object of this resource's kind with nothing but a name.
    pub fn new(resource: &ApiResource, name: impl Into<String>) -> Self {
        Self {
            api_version: resource.gvk().api_version(),
            kind: resource.kind.clone(),
            metadata: ObjectMeta {
                name: Some(name.into()),
                ..ObjectMeta::default()
            },
            data: Map::new(),
        }
    }

    /// Group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(&self.api_version, &self.kind)
    }

    /// The same object as a Rust type.
    pub fn to_typed<K: DeserializeOwned>(&self) -> Result<K, WireError> {
        Ok(serde_json::from_value(serde_json::to_value(self)?)?)
    }

    /// Any object without its Rust type. The type has to serialize its `apiVersion` and `kind`, as those of
    /// `k8s-openapi` do.
    pub fn from_typed<K: Serialize>(object: &K) -> Result<Self, WireError> {
        Ok(serde_json::from_value(serde_json::to_value(object)?)?)
    }

    /// Reads an object; where it does not name its kind, as items of a list do not, it is of kind `gvk`.
    pub(crate) fn decode(object: &EncodedObject, gvk: &Gvk) -> Result<Self, WireError> {
        let mut decoded: Self = match object.encoding {
            Encoding::Json => serde_json::from_slice(&object.bytes)?,
            Encoding::Protobuf => {
                let kind = schema::kind(gvk).ok_or_else(|| WireError::no_protobuf(&gvk.kind))?;
                serde_json::from_value(transcode::protobuf_to_value(kind.message, &object.bytes)?)?
            }
        };
        if decoded.kind.is_empty() {
            decoded.kind = gvk.kind.clone().into_owned();
            decoded.api_version = gvk.api_version();
        }
        Ok(decoded)
    }

    /// The body of a request.
    pub(crate) fn to_json(&self) -> Result<Bytes, WireError> {
        Ok(serde_json::to_vec(self)?.into())
    }
}
