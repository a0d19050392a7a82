//! What a type must offer to be carried by [`Api`](crate::api::Api).

mod decode;
mod generated;

pub use decode::Decode;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Serialize, de::DeserializeOwned};

use crate::resource::{Gvk, Gvr};
use crate::wire::{EncodedObject, Encoding, WireError};

/// A Kubernetes object type: every built-in kind implements it, and so can the type of a custom resource.
///
/// The built-in implementations are generated and speak protobuf. A custom resource needs only the constants and the
/// two metadata functions: it then travels as JSON.
pub trait Object: Clone + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// API group; empty for the core group.
    const GROUP: &'static str;
    /// API version, such as `v1`.
    const VERSION: &'static str;
    /// Kind, such as `Pod`.
    const KIND: &'static str;
    /// Plural resource name as in URLs, such as `pods`.
    const RESOURCE: &'static str;
    /// True where objects live in a namespace.
    const NAMESPACED: bool;
    /// True where [`decode`](Object::decode) and [`encode`](Object::encode) know this type's protobuf form.
    const PROTOBUF: bool = false;

    /// The object's metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// The object's metadata, to change it.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;

    /// Reads one object from the bytes of a response, a list item or a watch event.
    fn decode(object: &EncodedObject) -> Result<Self, WireError> {
        match object.encoding {
            Encoding::Json => Ok(serde_json::from_slice(&object.bytes)?),
            Encoding::Protobuf => Err(WireError::no_protobuf(Self::KIND)),
        }
    }

    /// Writes the object for a request body; protobuf bytes come without the envelope.
    fn encode(&self, encoding: Encoding) -> Result<EncodedObject, WireError> {
        match encoding {
            Encoding::Json => Ok(EncodedObject {
                encoding,
                bytes: serde_json::to_vec(self)?.into(),
            }),
            Encoding::Protobuf => Err(WireError::no_protobuf(Self::KIND)),
        }
    }

    /// Group, version and kind of the type.
    fn gvk() -> Gvk {
        Gvk::new(Self::GROUP, Self::VERSION, Self::KIND)
    }

    /// Group, version and resource of the type.
    fn gvr() -> Gvr {
        Gvr::new(Self::GROUP, Self::VERSION, Self::RESOURCE)
    }
}

/// Implements [`Object`] for a built-in kind.
macro_rules! object {
    ($type:ty, $group:literal, $version:literal, $kind:literal, $resource:literal, $namespaced:literal) => {
        impl $crate::Object for $type {
            const GROUP: &'static str = $group;
            const VERSION: &'static str = $version;
            const KIND: &'static str = $kind;
            const RESOURCE: &'static str = $resource;
            const NAMESPACED: bool = $namespaced;
            const PROTOBUF: bool = true;

            fn metadata(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                k8s_openapi::Metadata::metadata(self)
            }

            fn metadata_mut(&mut self) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                k8s_openapi::Metadata::metadata_mut(self)
            }

            fn decode(object: &$crate::wire::EncodedObject) -> Result<Self, $crate::wire::WireError> {
                $crate::wire::decode(object)
            }

            fn encode(
                &self,
                encoding: $crate::wire::Encoding,
            ) -> Result<$crate::wire::EncodedObject, $crate::wire::WireError> {
                $crate::wire::encode(self, encoding)
            }
        }
    };
}

use object;
