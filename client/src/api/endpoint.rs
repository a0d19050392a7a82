//! The verbs on encoded objects: what typed, dynamic and metadata-only access share.

use bytes::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;

use super::{EachObject, EncodedWatch, ListOptions, Patch, PatchOptions, WriteOptions};
use crate::error::Error;
use crate::resource::ResourceVersion;
use crate::rest::{Client, Representation, Request, ResourcePath, Response, Verb, content_type};
use crate::wire::{self, EncodedList, EncodedObject, Encoding, Envelope, WireError, envelope};

/// One resource, in one namespace or everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) client: Client,
    pub(crate) path: ResourcePath,
    /// True where the resource has a protobuf form that we can read.
    pub(crate) protobuf: bool,
    /// True where objects are sent as JSON although the answers may come as protobuf.
    pub(crate) json_bodies: bool,
    /// What the answers are to be turned into, such as `PartialObjectMetadata`.
    pub(crate) representation: Option<Representation>,
}

/// An object that is sent: where its parts for the URL come from, and how its body is made.
pub(crate) struct Outgoing<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) generate_name: Option<&'a str>,
    /// Where the access is to all namespaces, the object says which one.
    pub(crate) namespace: Option<&'a str>,
    pub(crate) encode: &'a Encode<'a>,
}

/// Makes the body of an object in the encoding that the server can read.
pub(crate) type Encode<'a> = dyn Fn(Encoding) -> Result<Bytes, WireError> + Send + Sync + 'a;

impl Endpoint {
    pub(crate) async fn get(&self, name: &str, subresource: Option<&str>) -> Result<Envelope, Error> {
        let request = self.object_request(Verb::Get, name, subresource)?;
        self.client.send_whole(request).await?.envelope().await
    }

    pub(crate) async fn get_not_older(&self, name: &str, version: &ResourceVersion) -> Result<Envelope, Error> {
        let request = self.object_request(Verb::Get, name, None)?;
        let request = request.param("resourceVersion", version.as_str());
        self.client.send_whole(request).await?.envelope().await
    }

    pub(crate) async fn list(&self, options: &ListOptions) -> Result<EncodedList, Error> {
        let list = self.list_response(options).await?.envelope().await?;
        EncodedList::parse(&list.object).map_err(|error| self.wire_error(Verb::List, error))
    }

    /// Like [`list`](Endpoint::list), item by item as they arrive.
    pub(crate) async fn list_each(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        let request = options.add_to(self.collection_request(Verb::List)?);
        self.client.send(request).await?.list_each(each).await
    }

    /// The answer to a list, in whatever form it comes.
    pub(crate) async fn list_response(&self, options: &ListOptions) -> Result<Response, Error> {
        self.client
            .send_whole(options.add_to(self.collection_request(Verb::List)?))
            .await
    }

    pub(crate) async fn watch(&self, options: &ListOptions) -> Result<EncodedWatch, Error> {
        let request = options.add_to(self.collection_request(Verb::Watch)?.param("watch", "true"));
        Ok(EncodedWatch::new(self.client.send(request).await?, options.timeout))
    }

    pub(crate) async fn create(&self, object: &Outgoing<'_>, options: &WriteOptions) -> Result<Envelope, Error> {
        let path = self.path_of(object);
        let about = path.describe(object.name.or(object.generate_name), None);
        let request = options.add_to(self.request(Verb::Create, path.collection(), about)?);
        self.send_object(request, object.encode).await
    }

    /// Sends an object to a subresource of an existing one, such as an eviction.
    pub(crate) async fn create_subresource(
        &self,
        name: &str,
        subresource: &str,
        encode: &Encode<'_>,
        options: &WriteOptions,
    ) -> Result<Envelope, Error> {
        let request = options.add_to(self.object_request(Verb::Create, name, Some(subresource))?);
        self.send_object(request, encode).await
    }

    pub(crate) async fn update(
        &self,
        object: &Outgoing<'_>,
        subresource: Option<&str>,
        options: &WriteOptions,
    ) -> Result<Envelope, Error> {
        let name = object.name.unwrap_or_default();
        let path = self.path_of(object);
        let about = path.describe(Some(name), subresource);
        let at = path.object(name, subresource);
        let at = at.map_err(|reason| Error::invalid(format!("update {about}"), reason))?;
        let request = options.add_to(self.request(Verb::Update, at, about)?);
        self.send_object(request, object.encode).await
    }

    pub(crate) async fn patch(
        &self,
        name: &str,
        subresource: Option<&str>,
        patch: &Patch,
        options: &PatchOptions,
    ) -> Result<Envelope, Error> {
        let request = options.add_to(self.object_request(Verb::Patch, name, subresource)?);
        let body = patch.body().map_err(|error| self.wire_error(Verb::Patch, error))?;
        let response = self.client.send_whole(request.body(patch.content_type(), body)).await?;
        response.envelope().await
    }

    pub(crate) async fn delete(&self, name: &str, options: &DeleteOptions) -> Result<Envelope, Error> {
        let request = self.object_request(Verb::Delete, name, None)?;
        self.send_delete(request, options).await
    }

    pub(crate) async fn delete_collection(
        &self,
        options: &DeleteOptions,
        selection: &ListOptions,
    ) -> Result<Envelope, Error> {
        let request = selection.add_to(self.collection_request(Verb::DeleteCollection)?);
        self.send_delete(request, options).await
    }

    /// A request to read a subresource that is no object.
    pub(crate) fn subresource_request(&self, name: &str, subresource: &str) -> Result<Request, Error> {
        self.object_request(Verb::Get, name, Some(subresource))
    }

    /// A request to a path of what an object stands for.
    pub(crate) fn proxy_request(&self, verb: Verb, target: &str, path: &str) -> Result<Request, Error> {
        let mut request = self.object_request(verb, target, Some("proxy"))?;
        let path = path.trim_start_matches('/');
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        request.path = format!("{}/{path}", request.path);
        if !query.is_empty() {
            request.query = format!("?{query}");
        }
        Ok(request)
    }

    /// An answer that could not be read.
    pub(crate) fn wire_error(&self, verb: Verb, error: WireError) -> Error {
        Error::wire(
            &Request::new(verb, self.path.collection(), self.path.describe(None, None)),
            error,
        )
    }

    /// Sends an object in the best encoding that the server can read, which it may have to be asked for first.
    async fn send_object(&self, request: Request, encode: &Encode<'_>) -> Result<Envelope, Error> {
        let verb = request.verb();
        let encoding = if self.json_bodies {
            Encoding::Json
        } else {
            self.body_encoding()
        };
        let in_encoding = |encoding| {
            let body = encode(encoding).map_err(|error| self.wire_error(verb, error))?;
            Ok::<_, Error>(request.clone().body(content_type(encoding), body))
        };
        let answer = self.client.send_whole(in_encoding(encoding)?).await;
        let answer = match answer {
            Err(error) if encoding == Encoding::Protobuf && error.code() == Some(415) => {
                self.client.use_json_for(&self.path.resource);
                self.client.send_whole(in_encoding(Encoding::Json)?).await
            }
            answer => answer,
        };
        answer?.envelope().await
    }

    async fn send_delete(&self, request: Request, options: &DeleteOptions) -> Result<Envelope, Error> {
        let encoding = self.body_encoding();
        let body = wire::encode(options, encoding).map_err(|error| self.wire_error(request.verb(), error))?;
        let body = in_envelope(&self.path.resource.api_version(), "DeleteOptions", body);
        let response = self
            .client
            .send_whole(request.body(content_type(encoding), body))
            .await?;
        response.envelope().await
    }

    fn body_encoding(&self) -> Encoding {
        if self.protobuf {
            self.client.encoding_for(&self.path.resource)
        } else {
            Encoding::Json
        }
    }

    /// The path, in the namespace of the object where this access is to all namespaces.
    fn path_of(&self, object: &Outgoing<'_>) -> ResourcePath {
        let mut path = self.path.clone();
        if path.namespace.is_empty() {
            path.namespace = object.namespace.unwrap_or_default().to_owned();
        }
        path
    }

    fn collection_request(&self, verb: Verb) -> Result<Request, Error> {
        self.request(verb, self.path.collection(), self.path.describe(None, None))
    }

    fn object_request(&self, verb: Verb, name: &str, subresource: Option<&str>) -> Result<Request, Error> {
        let about = self.path.describe(Some(name), subresource);
        let path = self.path.object(name, subresource);
        let path = path.map_err(|reason| Error::invalid(format!("{} {about}", verb.word()), reason))?;
        self.request(verb, path, about)
    }

    fn request(&self, verb: Verb, path: String, about: String) -> Result<Request, Error> {
        if let Err(reason) = self.path.check() {
            return Err(Error::invalid(format!("{} {about}", verb.word()), reason));
        }
        let mut request = Request::new(verb, path, about).of_resource(self.path.resource.clone());
        request.representation = self.representation;
        Ok(if self.protobuf { request } else { request.json_only() })
    }
}

/// The body of a request: protobuf goes into an envelope, JSON names its kind itself.
pub(crate) fn in_envelope(api_version: &str, kind: &str, object: EncodedObject) -> Bytes {
    match object.encoding {
        Encoding::Protobuf => envelope::encode(api_version, kind, &object),
        Encoding::Json => object.bytes,
    }
}
