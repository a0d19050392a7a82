//! A request before it is sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::resource::Gvr;
use crate::wire::Encoding;

/// What stays as it is in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
pub(crate) const JSON: &str = "application/json";

/// What a request asks for, in the API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read a collection.
    List,
    /// Follow a collection.
    Watch,
    /// Create an object.
    Create,
    /// Replace an object.
    Update,
    /// Change parts of an object.
    Patch,
    /// Delete an object.
    Delete,
    /// Delete a collection.
    DeleteCollection,
}

impl Verb {
    /// The HTTP method.
    pub fn method(self) -> http::Method {
        match self {
            Self::Get | Self::List | Self::Watch => http::Method::GET,
            Self::Create => http::Method::POST,
            Self::Update => http::Method::PUT,
            Self::Patch => http::Method::PATCH,
            Self::Delete | Self::DeleteCollection => http::Method::DELETE,
        }
    }

    /// The verb as a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "delete collection of",
        }
    }
}

/// A request to one path of the API server.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let client = server.clientset().client().clone();
/// use kubewire_client::rest::{Request, Verb};
///
/// let request = Request::new(Verb::Get, "/version", "the server's version").json_only();
/// let version: serde_json::Value = serde_json::from_slice(&client.send(request).await?.bytes().await?)?;
/// assert_eq!(version["major"], "1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) verb: Verb,
    pub(crate) path: String,
    pub(crate) query: String,
    /// What the request is about, for errors: `pods "web-0" in namespace "shop"`.
    pub(crate) about: String,
    pub(crate) body: Option<Body>,
    /// Where the answer may come as protobuf, the resource that remembers whether it can.
    pub(crate) resource: Option<Gvr>,
    pub(crate) protobuf: bool,
    /// A form that the server is to make of the answer.
    pub(crate) representation: Option<Representation>,
    /// What to accept, where it is neither an object nor another form of it.
    accept: Option<&'static str>,
    pub(crate) headers: HeaderMap,
    /// False where the answer may take for ever.
    pub(super) time_limit: bool,
}

/// A form of an answer that the server makes of any object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Representation {
    /// Objects cut down to their metadata.
    Metadata,
    /// Rows for people.
    Table,
}

/// A body and its media type.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Bytes,
}

impl Request {
    /// A request without a body. `about` names the target in errors.
    pub fn new(verb: Verb, path: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            verb,
            path: path.into(),
            query: String::new(),
            about: about.into(),
            body: None,
            resource: None,
            protobuf: true,
            representation: None,
            accept: None,
            headers: HeaderMap::new(),
            time_limit: verb != Verb::Watch,
        }
    }

    /// What the request asks for.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        self.query.extend(utf8_percent_encode(value.as_ref(), QUERY));
        self
    }

    /// Adds a query parameter where there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.param(name, value),
            None => self,
        }
    }

    /// Asks for JSON where the target has no protobuf form.
    #[must_use]
    pub fn json_only(mut self) -> Self {
        self.protobuf = false;
        self
    }

    /// Adds a header. Those that the client sets itself (`Accept`, `Accept-Encoding`, `Content-Type`) stay as they are.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Accepts this media type instead of an object in protobuf or JSON.
    #[must_use]
    pub fn accept(mut self, media_type: &'static str) -> Self {
        self.accept = Some(media_type);
        self
    }

    /// Lets the answer take as long as it takes. Watches have no time limit anyway.
    #[must_use]
    pub fn without_time_limit(mut self) -> Self {
        self.time_limit = false;
        self
    }

    /// Remembers for this resource whether the server can speak protobuf.
    #[must_use]
    pub(crate) fn of_resource(mut self, resource: Gvr) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Adds a body.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        self.body = Some(Body {
            content_type,
            bytes: bytes.into(),
        });
        self
    }

    /// Path and query.
    pub(crate) fn url(&self) -> String {
        [self.path.as_str(), &self.query].concat()
    }

    pub(super) fn accept_header(&self, encoding: Encoding) -> &'static str {
        if let Some(accept) = self.accept {
            return accept;
        }
        match (self.representation, encoding, self.verb) {
            (None, Encoding::Protobuf, _) => "application/vnd.kubernetes.protobuf,application/json",
            (None, Encoding::Json, _) => JSON,
            (Some(Representation::Metadata), encoding, Verb::List) => match encoding {
                Encoding::Protobuf => {
                    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
                     application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
                }
                Encoding::Json => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
            },
            (Some(Representation::Metadata), encoding, _) => match encoding {
                Encoding::Protobuf => {
                    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,\
                     application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
                }
                Encoding::Json => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
            },
            (Some(Representation::Table), ..) => "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped() {
        let request = Request::new(Verb::List, "/api/v1/pods", "pods")
            .param("labelSelector", "app in (a,b)")
            .maybe("limit", Some("5"))
            .maybe("continue", None::<&str>);
        assert_eq!(request.query, "?labelSelector=app%20in%20%28a%2Cb%29&limit=5");
    }
}
