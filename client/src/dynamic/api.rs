//! The verbs on objects without a Rust type.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;

use super::{ApiResource, DynamicObject};
use crate::api::{
    Deleted, EachObject, Encode, EncodedWatch, Endpoint, ListOptions, ObjectList, Outgoing, Patch, PatchOptions,
};
use crate::api::{WatchStream, WriteOptions};
use crate::error::Error;
use crate::resource::Gvk;
use crate::rest::{Client, ResourcePath, Verb};
use crate::wire::{EncodedList, EncodedObject, Envelope, WireError, schema};

/// One resource, in one namespace or everywhere, whose type the program does not know at compile time.
///
/// Built-in resources are read as protobuf, by the runtime schema; custom resources as JSON. Objects are always sent
/// as JSON, so that the server sees, and can complain of, fields that no schema knows.
///
/// Cloning is cheap. Cancel safety is that of [`Api`](crate::Api).
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let client = server.clientset().client().clone();
/// use kubewire_client::dynamic::{ApiResource, DynamicApi, DynamicObject};
/// use kubewire_client::{Gvr, ListOptions, WriteOptions};
///
/// let resource = ApiResource::new(Gvr::new("", "v1", "configmaps"), "ConfigMap", true);
/// let settings = DynamicApi::namespaced(client, &resource, "default");
/// let mut colours = DynamicObject::new(&resource, "colours");
/// colours.data.insert("data".to_owned(), serde_json::json!({"sky": "blue"}));
/// settings.create(&colours, &WriteOptions::default()).await?;
/// for object in settings.list(&ListOptions::default()).await?.items {
///     println!("{:?}: {}", object.metadata.name, object.data["data"]);
/// }
/// // What `kubectl get` prints.
/// let table = settings.list_table(&ListOptions::default()).await?;
/// assert_eq!(table.column_definitions[0].name, "Name");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DynamicApi {
    pub(super) endpoint: Endpoint,
    resource: ApiResource,
}

impl DynamicApi {
    /// Objects of the cluster: those without a namespace, or those of all namespaces.
    pub fn new(client: Client, resource: &ApiResource) -> Self {
        Self::namespaced(client, resource, "")
    }

    /// Objects of one namespace; of all where it is empty.
    pub fn namespaced(client: Client, resource: &ApiResource, namespace: &str) -> Self {
        let endpoint = Endpoint {
            client,
            path: ResourcePath {
                resource: resource.gvr.clone(),
                namespace: namespace.to_owned(),
            },
            protobuf: schema::kind(&resource.gvk()).is_some_and(|kind| !kind.message.json_only),
            json_bodies: true,
            representation: None,
        };
        Self {
            endpoint,
            resource: resource.clone(),
        }
    }

    /// The resource.
    pub fn resource(&self) -> &ApiResource {
        &self.resource
    }

    /// The namespace that requests go to; empty for all.
    pub fn namespace(&self) -> &str {
        &self.endpoint.path.namespace
    }

    /// Reads the newest state of an object.
    pub async fn get(&self, name: &str) -> Result<DynamicObject, Error> {
        self.get_at(name, None).await
    }

    /// Reads a subresource of an object.
    pub async fn get_subresource(&self, name: &str, subresource: &str) -> Result<DynamicObject, Error> {
        self.get_at(name, Some(subresource)).await
    }

    /// Reads the objects that the options select; with a limit, one page of them.
    pub async fn list(&self, options: &ListOptions) -> Result<ObjectList<DynamicObject>, Error> {
        let list = self.endpoint.list(options).await?;
        ObjectList::decode(list, self.decoder()).map_err(|error| self.endpoint.wire_error(Verb::List, error))
    }

    /// Like [`list`](DynamicApi::list), with items that are not decoded yet.
    pub async fn list_encoded(&self, options: &ListOptions) -> Result<EncodedList, Error> {
        self.endpoint.list(options).await
    }

    /// Like [`list_encoded`](DynamicApi::list_encoded), with every object as it arrives; see
    /// [`Api::list_each`](crate::Api::list_each).
    pub async fn list_each(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.endpoint.list_each(options, each).await
    }

    /// Follows the objects that the options select, from the given resourceVersion on.
    pub async fn watch(&self, options: &ListOptions) -> Result<WatchStream<DynamicObject>, Error> {
        Ok(WatchStream::new(self.endpoint.watch(options).await?, self.decoder()))
    }

    /// Like [`watch`](DynamicApi::watch), with objects that are not decoded yet.
    pub async fn watch_encoded(&self, options: &ListOptions) -> Result<EncodedWatch, Error> {
        self.endpoint.watch(options).await
    }

    /// Creates an object and returns what the server made of it.
    pub async fn create(&self, object: &DynamicObject, options: &WriteOptions) -> Result<DynamicObject, Error> {
        let body = |_| object.to_json();
        let answer = self.endpoint.create(&self.outgoing(object, &body), options).await?;
        self.decode(Verb::Create, &answer)
    }

    /// Sends an object to a subresource by `POST`: an action such as an eviction, and what it answers.
    pub async fn create_subresource(
        &self,
        name: &str,
        subresource: &str,
        body: &DynamicObject,
        options: &WriteOptions,
    ) -> Result<DynamicObject, Error> {
        let encode = |_| body.to_json();
        let answer = self
            .endpoint
            .create_subresource(name, subresource, &encode, options)
            .await?;
        self.decode(Verb::Create, &answer)
    }

    /// Replaces an object. With a `resourceVersion` in it, the answer is a conflict where somebody else was faster.
    pub async fn update(&self, object: &DynamicObject, options: &WriteOptions) -> Result<DynamicObject, Error> {
        self.replace(object, None, options).await
    }

    /// Replaces one part of an object, such as its `status`.
    pub async fn update_subresource(
        &self,
        object: &DynamicObject,
        subresource: &str,
        options: &WriteOptions,
    ) -> Result<DynamicObject, Error> {
        self.replace(object, Some(subresource), options).await
    }

    /// Changes parts of an object.
    pub async fn patch(&self, name: &str, patch: &Patch, options: &PatchOptions) -> Result<DynamicObject, Error> {
        let answer = self.endpoint.patch(name, None, patch, options).await?;
        self.decode(Verb::Patch, &answer)
    }

    /// Changes parts of a subresource.
    pub async fn patch_subresource(
        &self,
        name: &str,
        subresource: &str,
        patch: &Patch,
        options: &PatchOptions,
    ) -> Result<DynamicObject, Error> {
        let answer = self.endpoint.patch(name, Some(subresource), patch, options).await?;
        self.decode(Verb::Patch, &answer)
    }

    /// Deletes an object, or asks for its deletion where finalizers or a grace period stand in between.
    pub async fn delete(&self, name: &str, options: &DeleteOptions) -> Result<Deleted<DynamicObject>, Error> {
        let answer = self.endpoint.delete(name, options).await?;
        Deleted::read(answer, self.decoder()).map_err(|error| self.endpoint.wire_error(Verb::Delete, error))
    }

    /// Deletes the objects that `selection` selects; returns them as they were.
    pub async fn delete_collection(
        &self,
        options: &DeleteOptions,
        selection: &ListOptions,
    ) -> Result<Deleted<ObjectList<DynamicObject>>, Error> {
        let answer = self.endpoint.delete_collection(options, selection).await?;
        Deleted::read(answer, |list| {
            ObjectList::decode(EncodedList::parse(list)?, self.decoder())
        })
        .map_err(|error| self.endpoint.wire_error(Verb::DeleteCollection, error))
    }

    async fn get_at(&self, name: &str, subresource: Option<&str>) -> Result<DynamicObject, Error> {
        self.decode(Verb::Get, &self.endpoint.get(name, subresource).await?)
    }

    async fn replace(
        &self,
        object: &DynamicObject,
        subresource: Option<&str>,
        options: &WriteOptions,
    ) -> Result<DynamicObject, Error> {
        let body = |_| object.to_json();
        let object = self.outgoing(object, &body);
        let answer = self.endpoint.update(&object, subresource, options).await?;
        self.decode(Verb::Update, &answer)
    }

    fn outgoing<'a>(&self, object: &'a DynamicObject, encode: &'a Encode<'a>) -> Outgoing<'a> {
        Outgoing {
            name: object.metadata.name.as_deref(),
            generate_name: object.metadata.generate_name.as_deref(),
            namespace: object
                .metadata
                .namespace
                .as_deref()
                .filter(|_| self.resource.namespaced),
            encode,
        }
    }

    /// An answer says itself of which kind it is; subresources have kinds of their own.
    fn decode(&self, verb: Verb, answer: &Envelope) -> Result<DynamicObject, Error> {
        let gvk = match answer.kind.as_str() {
            "" => self.resource.gvk(),
            kind => Gvk::from_api_version(&answer.api_version, kind),
        };
        DynamicObject::decode(&answer.object, &gvk).map_err(|error| self.endpoint.wire_error(verb, error))
    }

    fn decoder(&self) -> impl Fn(&EncodedObject) -> Result<DynamicObject, WireError> + Send + Sync + 'static {
        let gvk = self.resource.gvk();
        move |object| DynamicObject::decode(object, &gvk)
    }
}
