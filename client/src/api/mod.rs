//! Typed access to one resource: [`Api`].

mod delete;
mod list;
mod options;
mod patch;
#[cfg(test)]
mod tests;
mod watch;

use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;

pub use delete::Deleted;
pub use list::ObjectList;
pub use options::{FieldValidation, ListOptions, PatchOptions, VersionMatch, WriteOptions};
pub use patch::Patch;
pub use watch::{EncodedWatch, WatchEvent, WatchStream};

use crate::error::Error;
use crate::object::Object;
use crate::rest::{Client, Request, ResourcePath, Response, Verb, content_type};
use crate::wire::{EncodedList, EncodedObject, Encoding, WireError, envelope};

/// One resource, in one namespace or everywhere.
///
/// Cloning is cheap. Every method is cancel safe for the client: dropping the future cancels the request, though a
/// write may have reached the server by then.
///
/// ```no_run
/// # async fn example() -> Result<(), kubewire_client::Error> {
/// use k8s_openapi::api::core::v1::Pod;
/// use kubewire_client::{Api, Client, ListOptions};
///
/// let client = Client::try_default()?;
/// let pods: Api<Pod> = Api::namespaced(client, "shop");
/// for pod in pods.list(&ListOptions::default().with_labels("app=web")).await?.items {
///     println!("{}", pod.metadata.name.unwrap_or_default());
/// }
/// # Ok(())
/// # }
/// ```
pub struct Api<K> {
    client: Client,
    path: ResourcePath,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Api<K> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            path: self.path.clone(),
            kind: PhantomData,
        }
    }
}

impl<K> std::fmt::Debug for Api<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Api").field(&self.path.collection()).finish()
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
            group: K::GROUP,
            version: K::VERSION,
            resource: K::RESOURCE,
            namespace: namespace.to_owned(),
        };
        Self {
            client,
            path,
            kind: PhantomData,
        }
    }

    /// The namespace that requests go to; empty for all.
    pub fn namespace(&self) -> &str {
        &self.path.namespace
    }

    /// The client that requests go through.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Reads the newest state of an object.
    pub async fn get(&self, name: &str) -> Result<K, Error> {
        let request = self.object_request(Verb::Get, name, None)?;
        self.read_object(self.client.send(request).await?).await
    }

    /// Reads the objects that the options select; with a limit, one page of them.
    pub async fn list(&self, options: &ListOptions) -> Result<ObjectList<K>, Error> {
        let list = self.list_encoded(options).await?;
        ObjectList::decode(list).map_err(|error| self.wire_error(Verb::List, error))
    }

    /// Like [`list`](Api::list), with items that are not decoded yet.
    pub async fn list_encoded(&self, options: &ListOptions) -> Result<EncodedList, Error> {
        let request = options.add_to(self.collection_request(Verb::List)?);
        let list = self.client.send(request).await?.envelope().await?;
        EncodedList::parse(&list.object).map_err(|error| self.wire_error(Verb::List, error))
    }

    /// Follows the objects that the options select, from the given resourceVersion on.
    ///
    /// The server ends every watch after a while (`timeout_seconds`); an informer does all that is needed to go on.
    pub async fn watch(&self, options: &ListOptions) -> Result<WatchStream<K>, Error> {
        Ok(WatchStream::new(self.watch_encoded(options).await?))
    }

    /// Like [`watch`](Api::watch), with objects that are not decoded yet.
    pub async fn watch_encoded(&self, options: &ListOptions) -> Result<EncodedWatch, Error> {
        let request = options.add_to(self.collection_request(Verb::Watch)?.param("watch", "true"));
        Ok(EncodedWatch::new(self.client.send(request).await?))
    }

    /// Creates an object and returns what the server made of it.
    pub async fn create(&self, object: &K, options: &WriteOptions) -> Result<K, Error> {
        let namespace = self.namespace_of(object);
        let name = object
            .metadata()
            .name
            .as_deref()
            .or(object.metadata().generate_name.as_deref());
        let about = namespace.describe(name);
        let request = options.add_to(self.request(Verb::Create, namespace.collection(), about)?);
        self.send_object(request, object).await
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
        self.send_patch(name, None, patch, options).await
    }

    /// Changes parts of an object's `status`.
    pub async fn patch_status(&self, name: &str, patch: &Patch, options: &PatchOptions) -> Result<K, Error> {
        self.send_patch(name, Some("status"), patch, options).await
    }

    /// Deletes an object, or asks for its deletion where finalizers or a grace period stand in between.
    pub async fn delete(&self, name: &str, options: &DeleteOptions) -> Result<Deleted<K>, Error> {
        let request = self.object_request(Verb::Delete, name, None)?;
        let answer = self.send_delete(request, options).await?.envelope().await?;
        Deleted::read(answer, K::decode).map_err(|error| self.wire_error(Verb::Delete, error))
    }

    /// Deletes the objects that `selection` selects; returns them as they were.
    pub async fn delete_collection(
        &self,
        options: &DeleteOptions,
        selection: &ListOptions,
    ) -> Result<Deleted<ObjectList<K>>, Error> {
        let request = selection.add_to(self.collection_request(Verb::DeleteCollection)?);
        let answer = self.send_delete(request, options).await?.envelope().await?;
        Deleted::read(answer, |list| ObjectList::decode(EncodedList::parse(list)?))
            .map_err(|error| self.wire_error(Verb::DeleteCollection, error))
    }

    async fn replace(&self, object: &K, subresource: Option<&str>, options: &WriteOptions) -> Result<K, Error> {
        let name = object.metadata().name.as_deref().unwrap_or_default();
        let path = self.namespace_of(object);
        let about = path.describe(Some(name));
        let at = path.object(name, subresource);
        let at = at.map_err(|reason| Error::invalid(format!("update {about}"), reason))?;
        let request = options.add_to(self.request(Verb::Update, at, about)?);
        self.send_object(request, object).await
    }

    async fn send_patch(
        &self,
        name: &str,
        subresource: Option<&str>,
        patch: &Patch,
        options: &PatchOptions,
    ) -> Result<K, Error> {
        let request = options.add_to(self.object_request(Verb::Patch, name, subresource)?);
        let body = patch.body().map_err(|error| self.wire_error(Verb::Patch, error))?;
        let response = self.client.send(request.body(patch.content_type(), body)).await?;
        self.read_object(response).await
    }

    /// Sends an object in the best encoding that the server can read, which it may have to be asked for first.
    async fn send_object(&self, request: Request, object: &K) -> Result<K, Error> {
        let verb = request.verb();
        let encoding = self.body_encoding(K::PROTOBUF);
        let wire_error = |error| self.wire_error(verb, error);
        let body = encode(object, encoding).map_err(wire_error)?;
        let answer = self
            .client
            .send(request.clone().body(content_type(encoding), body))
            .await;
        let answer = match answer {
            Err(error) if encoding == Encoding::Protobuf && error.code() == Some(415) => {
                self.client.use_json_for(&K::gvr());
                let body = encode(object, Encoding::Json).map_err(wire_error)?;
                self.client.send(request.body(content_type(Encoding::Json), body)).await
            }
            answer => answer,
        };
        self.read_object(answer?).await
    }

    async fn send_delete(&self, request: Request, options: &DeleteOptions) -> Result<Response, Error> {
        let encoding = self.body_encoding(true);
        let body = crate::wire::encode(options, encoding).map_err(|error| self.wire_error(request.verb(), error))?;
        let body = match encoding {
            Encoding::Protobuf => envelope::encode("v1", "DeleteOptions", &body),
            Encoding::Json => body.bytes,
        };
        self.client.send(request.body(content_type(encoding), body)).await
    }

    async fn read_object(&self, response: Response) -> Result<K, Error> {
        let answer = response.envelope().await?;
        K::decode(&answer.object).map_err(|error| self.wire_error(Verb::Get, error))
    }

    fn body_encoding(&self, has_protobuf: bool) -> Encoding {
        if has_protobuf {
            self.client.encoding_for(&K::gvr())
        } else {
            Encoding::Json
        }
    }

    /// The namespace of the object where this access is to all namespaces.
    fn namespace_of(&self, object: &K) -> ResourcePath {
        let mut path = self.path.clone();
        if K::NAMESPACED && path.namespace.is_empty() {
            path.namespace = object.metadata().namespace.clone().unwrap_or_default();
        }
        path
    }

    fn collection_request(&self, verb: Verb) -> Result<Request, Error> {
        self.request(verb, self.path.collection(), self.path.describe(None))
    }

    fn object_request(&self, verb: Verb, name: &str, subresource: Option<&str>) -> Result<Request, Error> {
        let about = self.path.describe(Some(name));
        let path = self.path.object(name, subresource);
        let path = path.map_err(|reason| Error::invalid(format!("{} {about}", verb.word()), reason))?;
        self.request(verb, path, about)
    }

    fn request(&self, verb: Verb, path: String, about: String) -> Result<Request, Error> {
        if let Err(reason) = self.path.check() {
            return Err(Error::invalid(format!("{} {about}", verb.word()), reason));
        }
        let request = Request::new(verb, path, about).of_resource(K::gvr());
        Ok(if K::PROTOBUF { request } else { request.json_only() })
    }

    fn wire_error(&self, verb: Verb, error: WireError) -> Error {
        Error::wire(format!("{} {}", verb.word(), self.path.describe(None)), error)
    }
}

fn encode<K: Object>(object: &K, encoding: Encoding) -> Result<bytes::Bytes, WireError> {
    let encoded: EncodedObject = object.encode(encoding)?;
    Ok(match encoding {
        Encoding::Protobuf => envelope::encode(&K::gvk().api_version(), K::KIND, &encoded),
        Encoding::Json => encoded.bytes,
    })
}
