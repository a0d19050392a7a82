//! Typed access to one resource: [`Api`].

mod delete;
mod endpoint;
mod list;
mod options;
mod patch;
mod proxy;
mod subresource;
#[cfg(test)]
mod tests;
mod watch;

use std::marker::PhantomData;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;

pub use delete::Deleted;
pub(crate) use endpoint::{Encode, Endpoint, Outgoing, in_envelope};
pub use list::ObjectList;
use list::pages;
pub use options::{FieldValidation, ListOptions, PatchOptions, VersionMatch, WriteOptions};
pub use patch::Patch;
pub use proxy::{Proxied, ProxyTarget};
pub use subresource::SubresourceBody;
pub use watch::{EncodedWatch, WatchEvent, WatchStream};

use crate::error::Error;
use crate::object::Object;
use crate::resource::ResourceVersion;
use crate::rest::{Client, ResourcePath, Verb};
use crate::wire::{EncodedList, EncodedObject, Encoding, Envelope, WireError};

/// Is called with every object of a list, in order.
pub type EachObject<'a> = &'a mut (dyn FnMut(EncodedObject) + Send);

/// One resource, in one namespace or everywhere.
///
/// Cloning is cheap. Every method is cancel safe for the client: dropping the future cancels the request, though a
/// write may have reached the server by then.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let client = server.clientset().client().clone();
/// use futures::TryStreamExt;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kubewire_client::{Api, ListOptions, Patch, PatchOptions, WatchEvent, WriteOptions};
///
/// let settings: Api<ConfigMap> = Api::namespaced(client, "default");
/// let mut colours = ConfigMap::default();
/// colours.metadata.name = Some("colours".to_owned());
/// let created = settings.create(&colours, &WriteOptions::default()).await?;
///
/// let list = settings.list(&ListOptions::default()).await?;
/// let from_here = ListOptions::default().with_resource_version(list.resource_version);
/// let mut changes = settings.watch(&from_here).await?;
///
/// colours = created;
/// colours.data = Some([("sky".to_owned(), "blue".to_owned())].into());
/// settings.update(&colours, &WriteOptions::default()).await?;
/// let grass = serde_json::json!({"data": {"grass": "green"}});
/// settings.patch("colours", &Patch::Merge(grass), &PatchOptions::default()).await?;
/// let sun = serde_json::json!({
///     "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"}, "data": {"sun": "yellow"},
/// });
/// settings.patch("colours", &Patch::Apply(sun), &PatchOptions::apply("painter")).await?;
/// assert_eq!(settings.get("colours").await?.data.unwrap_or_default().len(), 3);
///
/// settings.delete("colours", &Default::default()).await?;
/// while let Some(change) = changes.try_next().await? {
///     if let WatchEvent::Deleted(last) = change {
///         assert_eq!(last.metadata.name.as_deref(), Some("colours"));
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Api<K> {
    endpoint: Endpoint,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Api<K> {
    fn clone(&self) -> Self {
        Self {
            endpoint: self.endpoint.clone(),
            kind: PhantomData,
        }
    }
}

impl<K> std::fmt::Debug for Api<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Api").field(&self.endpoint.path.collection()).finish()
    }
}

impl<K: Object> Api<K> {
    /// Objects of the cluster: those without a namespace, or those of all namespaces.
    pub fn new(client: Client) -> Self {
        Self::namespaced(client, "")
    }

    /// Objects of one namespace; of all where it is empty.
    pub fn namespaced(client: Client, namespace: &str) -> Self {
        let path = ResourcePath {
            resource: K::gvr(),
            namespace: namespace.to_owned(),
        };
        let endpoint = Endpoint {
            client,
            path,
            protobuf: K::PROTOBUF,
            json_bodies: false,
            representation: None,
        };
        Self {
            endpoint,
            kind: PhantomData,
        }
    }

    /// The namespace that requests go to; empty for all.
    pub fn namespace(&self) -> &str {
        &self.endpoint.path.namespace
    }

    /// The client that requests go through.
    pub fn client(&self) -> &Client {
        &self.endpoint.client
    }

    /// Reads the newest state of an object.
    pub async fn get(&self, name: &str) -> Result<K, Error> {
        self.decode(Verb::Get, &self.endpoint.get(name, None).await?)
    }

    /// Reads a state of an object that is not older than `version`; with `0`, whatever the server has at hand.
    ///
    /// Cheaper for the server than [`get`](Api::get), which has to make sure that the state is the newest.
    pub async fn get_not_older(&self, name: &str, version: &ResourceVersion) -> Result<K, Error> {
        self.decode(Verb::Get, &self.endpoint.get_not_older(name, version).await?)
    }

    /// Reads the objects that the options select; with a limit, one page of them.
    pub async fn list(&self, options: &ListOptions) -> Result<ObjectList<K>, Error> {
        let list = self.list_encoded(options).await?;
        ObjectList::decode(list, K::decode).map_err(|error| self.endpoint.wire_error(Verb::List, error))
    }

    /// Reads all the objects that the options select, page by page: `limit` objects a page, 500 where there is no
    /// limit.
    ///
    /// The stream ends after the last page or the first error. A list that takes so long that the server forgets its
    /// version (5 minutes by default) ends with an error that [`is_expired`](Error::is_expired).
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
    /// # let namespaces = server.clientset().core_v1().namespaces();
    /// use futures::TryStreamExt;
    /// use kubewire_client::ListOptions;
    ///
    /// let mut pages = std::pin::pin!(namespaces.pages(ListOptions::default().with_limit(2)));
    /// while let Some(page) = pages.try_next().await? {
    ///     assert!(page.items.len() <= 2);
    /// }
    /// let items: Vec<_> = namespaces.items(ListOptions::default()).try_collect().await?;
    /// assert!(items.iter().any(|namespace| namespace.metadata.name.as_deref() == Some("default")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn pages(&self, options: ListOptions) -> impl Stream<Item = Result<ObjectList<K>, Error>> + Send {
        let api = self.clone();
        pages(options, move |options| {
            let api = api.clone();
            async move { api.list(&options).await }
        })
    }

    /// Like [`pages`](Api::pages), object by object.
    pub fn items(&self, options: ListOptions) -> impl Stream<Item = Result<K, Error>> + Send {
        let pages = self.pages(options);
        pages.map_ok(|page| stream::iter(page.items).map(Ok)).try_flatten()
    }

    /// Like [`list`](Api::list), with items that are not decoded yet.
    pub async fn list_encoded(&self, options: &ListOptions) -> Result<EncodedList, Error> {
        self.endpoint.list(options).await
    }

    /// Like [`list_encoded`](Api::list_encoded), but calls `each` with every object as it arrives, so that the whole
    /// answer is never in memory; the list that is returned has no items. Where this fails, some objects may have been
    /// given out already.
    pub async fn list_each(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.endpoint.list_each(options, each).await
    }

    /// Follows the objects that the options select, from the given resourceVersion on.
    ///
    /// The server ends every watch after a while (`timeout_seconds`); an informer does all that is needed to go on.
    pub async fn watch(&self, options: &ListOptions) -> Result<WatchStream<K>, Error> {
        Ok(WatchStream::new(self.watch_encoded(options).await?, K::decode))
    }

    /// Like [`watch`](Api::watch), with objects that are not decoded yet.
    pub async fn watch_encoded(&self, options: &ListOptions) -> Result<EncodedWatch, Error> {
        self.endpoint.watch(options).await
    }

    /// Creates an object and returns what the server made of it.
    pub async fn create(&self, object: &K, options: &WriteOptions) -> Result<K, Error> {
        let body = |encoding| encode(object, encoding);
        let answer = self.endpoint.create(&outgoing(object, &body), options).await?;
        self.decode(Verb::Create, &answer)
    }

    /// Replaces an object. With a `resourceVersion` in it, the answer is a conflict where somebody else was faster.
    pub async fn update(&self, object: &K, options: &WriteOptions) -> Result<K, Error> {
        self.replace(object, None, options).await
    }

    /// Replaces the `status` of an object and nothing else.
    pub async fn update_status(&self, object: &K, options: &WriteOptions) -> Result<K, Error> {
        self.replace(object, Some("status"), options).await
    }

    /// Changes parts of an object.
    pub async fn patch(&self, name: &str, patch: &Patch, options: &PatchOptions) -> Result<K, Error> {
        let answer = self.endpoint.patch(name, None, patch, options).await?;
        self.decode(Verb::Patch, &answer)
    }

    /// Changes parts of an object's `status`.
    pub async fn patch_status(&self, name: &str, patch: &Patch, options: &PatchOptions) -> Result<K, Error> {
        let answer = self.endpoint.patch(name, Some("status"), patch, options).await?;
        self.decode(Verb::Patch, &answer)
    }

    /// Deletes an object, or asks for its deletion where finalizers or a grace period stand in between.
    pub async fn delete(&self, name: &str, options: &DeleteOptions) -> Result<Deleted<K>, Error> {
        let answer = self.endpoint.delete(name, options).await?;
        Deleted::read(answer, K::decode).map_err(|error| self.endpoint.wire_error(Verb::Delete, error))
    }

    /// Deletes the objects that `selection` selects; returns them as they were.
    pub async fn delete_collection(
        &self,
        options: &DeleteOptions,
        selection: &ListOptions,
    ) -> Result<Deleted<ObjectList<K>>, Error> {
        let answer = self.endpoint.delete_collection(options, selection).await?;
        Deleted::read(answer, |list| ObjectList::decode(EncodedList::parse(list)?, K::decode))
            .map_err(|error| self.endpoint.wire_error(Verb::DeleteCollection, error))
    }

    async fn replace(&self, object: &K, subresource: Option<&str>, options: &WriteOptions) -> Result<K, Error> {
        let body = |encoding| encode(object, encoding);
        let object = outgoing(object, &body);
        let answer = self.endpoint.update(&object, subresource, options).await?;
        self.decode(Verb::Update, &answer)
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn decode(&self, verb: Verb, answer: &Envelope) -> Result<K, Error> {
        K::decode(&answer.object).map_err(|error| self.endpoint.wire_error(verb, error))
    }
}

/// What the verbs need of a typed object.
fn outgoing<'a, K: Object>(object: &'a K, encode: &'a Encode<'a>) -> Outgoing<'a> {
    let metadata = object.metadata();
    Outgoing {
        name: metadata.name.as_deref(),
        generate_name: metadata.generate_name.as_deref(),
        namespace: metadata.namespace.as_deref().filter(|_| K::NAMESPACED),
        encode,
    }
}

fn encode<K: Object>(object: &K, encoding: Encoding) -> Result<Bytes, WireError> {
    Ok(in_envelope(&K::gvk().api_version(), K::KIND, object.encode(encoding)?))
}
