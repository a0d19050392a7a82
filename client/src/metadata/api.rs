//! The verbs that make sense on metadata.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;

use super::PartialObjectMetadata;
use crate::api::{
    Deleted, EachObject, EncodedWatch, Endpoint, ListOptions, ObjectList, Patch, PatchOptions, WatchStream,
};
use crate::dynamic::ApiResource;
use crate::error::Error;
use crate::rest::{Client, Representation, ResourcePath, Verb};
use crate::wire::{EncodedList, WireError};

/// The metadata of one resource's objects, in one namespace or everywhere.
///
/// Works for every resource, custom ones included, in protobuf: the server makes `PartialObjectMetadata` of whatever
/// it has. Cancel safety is that of [`Api`](crate::Api).
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let clientset = server.clientset();
/// use k8s_openapi::api::core::v1::Secret;
/// use kubewire_client::{ListOptions, dynamic::ApiResource, metadata::MetadataApi};
///
/// # let mut secret = Secret::default();
/// # secret.metadata.name = Some("key".to_owned());
/// # clientset.core_v1().secrets("default").create(&secret, &Default::default()).await?;
/// let secrets = MetadataApi::new(clientset.client().clone(), &ApiResource::of::<Secret>());
/// for secret in secrets.list(&ListOptions::default()).await?.items {
///     println!("{:?}", secret.metadata.name); // and never its content
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MetadataApi {
    endpoint: Endpoint,
}

impl MetadataApi {
    /// Objects of the cluster: those without a namespace, or those of all namespaces.
    pub fn new(client: Client, resource: &ApiResource) -> Self {
        Self::namespaced(client, resource, "")
    }

    /// Objects of one namespace; of all where it is empty.
    pub fn namespaced(client: Client, resource: &ApiResource, namespace: &str) -> Self {
        Self {
            endpoint: Endpoint {
                client,
                path: ResourcePath {
                    resource: resource.gvr.clone(),
                    namespace: namespace.to_owned(),
                },
                protobuf: true,
                json_bodies: true,
                representation: Some(Representation::Metadata),
            },
        }
    }

    /// Reads the newest metadata of an object.
    pub async fn get(&self, name: &str) -> Result<PartialObjectMetadata, Error> {
        let answer = self.endpoint.get(name, None).await?;
        PartialObjectMetadata::decode(&answer.object).map_err(|error| self.wire_error(Verb::Get, error))
    }

    /// Reads the metadata of the objects that the options select; with a limit, one page of them.
    pub async fn list(&self, options: &ListOptions) -> Result<ObjectList<PartialObjectMetadata>, Error> {
        let list = self.endpoint.list(options).await?;
        ObjectList::decode(list, PartialObjectMetadata::decode).map_err(|error| self.wire_error(Verb::List, error))
    }

    /// Like [`list`](MetadataApi::list), with items that are not decoded yet.
    pub async fn list_encoded(&self, options: &ListOptions) -> Result<EncodedList, Error> {
        self.endpoint.list(options).await
    }

    /// Like [`list_encoded`](MetadataApi::list_encoded), with every object as it arrives; see
    /// [`Api::list_each`](crate::Api::list_each).
    pub async fn list_each(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.endpoint.list_each(options, each).await
    }

    /// Follows the metadata of the objects that the options select, from the given resourceVersion on.
    pub async fn watch(&self, options: &ListOptions) -> Result<WatchStream<PartialObjectMetadata>, Error> {
        let events = self.endpoint.watch(options).await?;
        Ok(WatchStream::new(events, PartialObjectMetadata::decode))
    }

    /// Like [`watch`](MetadataApi::watch), with objects that are not decoded yet.
    pub async fn watch_encoded(&self, options: &ListOptions) -> Result<EncodedWatch, Error> {
        self.endpoint.watch(options).await
    }

    /// Changes parts of an object, such as its labels.
    pub async fn patch(
        &self,
        name: &str,
        patch: &Patch,
        options: &PatchOptions,
    ) -> Result<PartialObjectMetadata, Error> {
        let answer = self.endpoint.patch(name, None, patch, options).await?;
        PartialObjectMetadata::decode(&answer.object).map_err(|error| self.wire_error(Verb::Patch, error))
    }

    /// Deletes an object, or asks for its deletion where finalizers or a grace period stand in between.
    pub async fn delete(&self, name: &str, options: &DeleteOptions) -> Result<Deleted<PartialObjectMetadata>, Error> {
        let answer = self.endpoint.delete(name, options).await?;
        Deleted::read(answer, PartialObjectMetadata::decode).map_err(|error| self.wire_error(Verb::Delete, error))
    }

    /// Deletes the objects that `selection` selects; returns their metadata as it was.
    pub async fn delete_collection(
        &self,
        options: &DeleteOptions,
        selection: &ListOptions,
    ) -> Result<Deleted<ObjectList<PartialObjectMetadata>>, Error> {
        let answer = self.endpoint.delete_collection(options, selection).await?;
        Deleted::read(answer, |list| {
            ObjectList::decode(EncodedList::parse(list)?, PartialObjectMetadata::decode)
        })
        .map_err(|error| self.wire_error(Verb::DeleteCollection, error))
    }

    fn wire_error(&self, verb: Verb, error: WireError) -> Error {
        self.endpoint.wire_error(verb, error)
    }
}
