//! Metadata of objects of any kind, for informers.

use async_trait::async_trait;
use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kubewire_client::api::EachObject;
use kubewire_client::metadata::{MetadataApi, PartialObjectMetadata};
use kubewire_client::wire::{EncodedList, EncodedObject, WireError};
use kubewire_client::{Error, ListOptions, Object};
use kubewire_informers::ListWatch;
use kubewire_informers::reflector::EventStream;
use serde::{Deserialize, Serialize};

/// An object cut down to its metadata.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Metadata(PartialObjectMetadata);

impl Metadata {
    /// The owners.
    pub(super) fn owners(&self) -> &[OwnerReference] {
        self.0.metadata.owner_references.as_deref().unwrap_or_default()
    }
}

impl From<PartialObjectMetadata> for Metadata {
    fn from(metadata: PartialObjectMetadata) -> Self {
        Self(metadata)
    }
}

impl Object for Metadata {
    const GROUP: &'static str = "meta.k8s.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "PartialObjectMetadata";
    const RESOURCE: &'static str = "partialobjectmetadata";
    const NAMESPACED: bool = true;
    const PROTOBUF: bool = true;

    fn metadata(&self) -> &ObjectMeta {
        &self.0.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }

    fn decode(object: &EncodedObject) -> Result<Self, WireError> {
        PartialObjectMetadata::decode(object).map(Self)
    }
}

/// Lists and watches the metadata of one resource.
pub(super) struct MetadataSource {
    pub(super) api: MetadataApi,
    pub(super) resource: String,
}

#[async_trait]
impl ListWatch for MetadataSource {
    async fn list(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.api.list_each(options, each).await
    }

    async fn watch(&self, options: &ListOptions) -> Result<EventStream, Error> {
        Ok(self.api.watch_encoded(options).await?.boxed())
    }

    fn describe(&self) -> String {
        format!("metadata of {}", self.resource)
    }
}
