//! Objects that can be read where the type is known, and where it is not.

use std::borrow::Cow;
use std::fmt::Debug;

use super::Object;
use crate::dynamic::{ApiResource, DynamicObject};
use crate::metadata::PartialObjectMetadata;
use crate::wire::schema::{self, MessageSchema};
use crate::wire::{EncodedObject, Encoding, WireError};

/// Something that an encoded object can be read as: every [`Object`], a [`DynamicObject`], or only the metadata of an
/// object ([`PartialObjectMetadata`]). What a cache can hold.
pub trait Decode: Sized + Send + Sync + 'static {
    /// What has to be known beside the bytes: nothing where the type says it.
    type Context: Clone + Debug + Send + Sync + 'static;

    /// True where every object of a server that comes as JSON can be read.
    const HOLDS_ANY_JSON: bool = false;

    /// Reads one object from the bytes of a response, a list item or a watch event.
    fn decode_in(object: &EncodedObject, context: &Self::Context) -> Result<Self, WireError>;

    /// Writes the object; protobuf bytes come without the envelope. A dynamic object is always written as JSON.
    fn encode_in(&self, encoding: Encoding, context: &Self::Context) -> Result<EncodedObject, WireError>;

    /// The kind of the objects, for messages.
    fn kind(context: &Self::Context) -> Cow<'static, str>;

    /// The message of an encoded object, where protobuf is decoded by one that is known.
    fn schema(context: &Self::Context) -> Option<&'static MessageSchema>;
}

impl<K: Object> Decode for K {
    type Context = ();

    fn decode_in(object: &EncodedObject, (): &()) -> Result<Self, WireError> {
        K::decode(object)
    }

    fn encode_in(&self, encoding: Encoding, (): &()) -> Result<EncodedObject, WireError> {
        self.encode(encoding)
    }

    fn kind((): &()) -> Cow<'static, str> {
        Cow::Borrowed(K::KIND)
    }

    fn schema((): &()) -> Option<&'static MessageSchema> {
        schema::kind(&K::gvk()).filter(|_| K::PROTOBUF).map(|kind| kind.message)
    }
}

impl Decode for DynamicObject {
    type Context = std::sync::Arc<ApiResource>;

    const HOLDS_ANY_JSON: bool = true;

    fn decode_in(object: &EncodedObject, resource: &Self::Context) -> Result<Self, WireError> {
        Self::decode(object, &resource.gvk())
    }

    fn encode_in(&self, _: Encoding, _: &Self::Context) -> Result<EncodedObject, WireError> {
        Ok(EncodedObject {
            encoding: Encoding::Json,
            bytes: self.to_json()?,
        })
    }

    fn kind(resource: &Self::Context) -> Cow<'static, str> {
        Cow::Owned(resource.kind.clone())
    }

    fn schema(resource: &Self::Context) -> Option<&'static MessageSchema> {
        schema::kind(&resource.gvk()).map(|kind| kind.message)
    }
}

impl Decode for PartialObjectMetadata {
    type Context = std::sync::Arc<ApiResource>;

    fn decode_in(object: &EncodedObject, _: &Self::Context) -> Result<Self, WireError> {
        Self::decode(object)
    }

    fn encode_in(&self, encoding: Encoding, _: &Self::Context) -> Result<EncodedObject, WireError> {
        crate::wire::encode(self, encoding)
    }

    fn kind(resource: &Self::Context) -> Cow<'static, str> {
        Cow::Owned(resource.kind.clone())
    }

    fn schema(_: &Self::Context) -> Option<&'static MessageSchema> {
        schema::message("meta.v1.PartialObjectMetadata")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn one_object_in_three_ways() {
        let mut map = ConfigMap::default();
        map.metadata.name = Some("a".to_owned());
        map.immutable = Some(true);
        let resource = Arc::new(ApiResource::of::<ConfigMap>());
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let encoded = map.encode_in(encoding, &()).unwrap();
            assert_eq!(ConfigMap::decode_in(&encoded, &()).unwrap(), map);
            let dynamic = DynamicObject::decode_in(&encoded, &resource).unwrap();
            assert_eq!(dynamic.data["immutable"], true);
            let again = dynamic.encode_in(encoding, &resource).unwrap();
            assert_eq!(ConfigMap::decode_in(&again, &()).unwrap(), map);
            let partial = PartialObjectMetadata::decode_in(&encoded, &resource).unwrap();
            assert_eq!(partial.metadata, map.metadata);
            let again = partial.encode_in(encoding, &resource).unwrap();
            assert_eq!(PartialObjectMetadata::decode_in(&again, &resource).unwrap(), partial);
        }
        assert_eq!(
            (ConfigMap::kind(&()), DynamicObject::kind(&resource)),
            ("ConfigMap".into(), "ConfigMap".into())
        );
    }
}
