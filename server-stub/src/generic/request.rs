//! What a request means: its path taken apart (`RequestInfo`), who sent it (`UserInfo`), and the body types.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use percent_encoding::percent_decode_str;

use crate::endpoints::Query;

/// Why a body broke off.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// The body of a request as it arrives: a stream, its length not limited yet.
pub type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// The body of an answer: whole, or a stream for watches.
pub type ResponseBody = UnsyncBoxBody<Bytes, BodyError>;

/// A request on its way down the handler chain.
///
/// The filters put `Arc<RequestInfo>` and `Arc<UserInfo>` into its extensions.
pub type Request = http::Request<RequestBody>;

/// An answer.
pub type Response = http::Response<ResponseBody>;

/// A body of which all bytes are there.
pub fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body without bytes.
pub fn empty() -> ResponseBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// Who sent a request, as authentication found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// The user's name; `system:anonymous` when nobody logged in.
    pub name: String,
    /// Tells apart users that had the same name at different times. May be empty.
    pub uid: String,
    /// The groups the user is in.
    pub groups: Vec<String>,
    /// More that the authenticator knows.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// The user of a request that carries no credentials.
    pub fn anonymous() -> Self {
        Self {
            name: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
            ..Self::default()
        }
    }

    /// The server itself on its loopback connection.
    pub fn loopback() -> Self {
        Self {
            name: "system:apiserver".to_owned(),
            groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
            ..Self::default()
        }
    }

    /// Whoever comes by the port without TLS.
    pub fn unsecured() -> Self {
        Self {
            name: "system:unsecured".to_owned(),
            ..Self::loopback()
        }
    }

    /// The user of a request; anonymous where no authentication ran.
    pub fn of(request: &Request) -> Arc<Self> {
        let user = request.extensions().get().cloned();
        user.unwrap_or_else(|| Arc::new(Self::anonymous()))
    }

    /// Whether the user is in a group.
    pub fn is_in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}

/// What a request asks for, read from its method, path and query.
///
/// The rules are those of `k8s.io/apiserver/pkg/endpoints/request`.
///
/// ```
/// use kubewire_server_stub::generic::request::RequestInfo;
///
/// let info = RequestInfo::parse(&http::Method::GET, "/apis/apps/v1/namespaces/shop/deployments/web/status", None).unwrap();
/// assert_eq!((info.verb.as_str(), info.api_group.as_str(), info.namespace.as_str()), ("get", "apps", "shop"));
/// assert_eq!((info.resource.as_str(), info.name.as_str(), info.subresource.as_str()), ("deployments", "web", "status"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// Whether the path names a resource; if not, only `path` and `verb` are set.
    pub is_resource_request: bool,
    /// The path of the URL, decoded.
    pub path: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, `proxy`;
    /// for a non-resource request the HTTP method in small letters.
    pub verb: String,
    /// `api` or `apis`.
    pub api_prefix: String,
    /// The API group, empty for the core group.
    pub api_group: String,
    /// The version within the group.
    pub api_version: String,
    /// The namespace, empty for all namespaces and for cluster-scoped resources.
    pub namespace: String,
    /// The plural resource name.
    pub resource: String,
    /// The subresource, empty for the object itself.
    pub subresource: String,
    /// The object's name. A list or watch with the field selector `metadata.name=…` has one too.
    pub name: String,
    /// The path from the resource on: resource, name, subresource, and what follows it.
    pub parts: Vec<String>,
}

/// A path under a special verb (`/api/v1/watch/…`) that ends too early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to determine kind and namespace from url, {0}")]
pub struct RequestInfoError(pub String);

/// Verbs that stand in the path before the resource.
const SPECIAL_VERBS: [&str; 2] = ["proxy", "watch"];

/// What follows a namespace's name without being a resource inside of it.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    /// Takes a request apart. `path` is percent-decoded, `query` is not.
    ///
    /// # Errors
    /// When the path ends right after a special verb.
    pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, RequestInfoError> {
        let mut info = Self {
            path: path.to_owned(),
            verb: method.as_str().to_ascii_lowercase(),
            ..Self::default()
        };
        let pieces: Vec<&str> = path.trim_matches('/').split('/').collect();
        let rest = match pieces.as_slice() {
            ["api", rest @ ..] if rest.len() >= 2 => {
                info.api_prefix = "api".to_owned();
                rest
            }
            ["apis", group, rest @ ..] if rest.len() >= 2 => {
                info.api_prefix = "apis".to_owned();
                info.api_group = (*group).to_owned();
                rest
            }
            _ => return Ok(info),
        };
        let [version, rest @ ..] = rest else { return Ok(info) };
        info.is_resource_request = true;
        info.api_version = (*version).to_owned();
        let rest = info.take_verb(method, rest, path)?;
        let rest = info.take_namespace(rest);
        info.take_resource(rest);
        info.refine_verb(query);
        Ok(info)
    }

    /// What the request-info filter found out about a request; read again where no filter ran.
    pub fn of(request: &Request) -> Arc<Self> {
        request.extensions().get().cloned().unwrap_or_else(|| {
            let path = decoded_path(request.uri());
            let info = Self::parse(request.method(), &path, request.uri().query());
            Arc::new(info.unwrap_or_default())
        })
    }

    fn take_verb<'a, 'b>(
        &mut self,
        method: &Method,
        rest: &'a [&'b str],
        path: &str,
    ) -> Result<&'a [&'b str], RequestInfoError> {
        match rest {
            [special, rest @ ..] if SPECIAL_VERBS.contains(special) => {
                if rest.is_empty() {
                    return Err(RequestInfoError(path.to_owned()));
                }
                self.verb = (*special).to_owned();
                Ok(rest)
            }
            rest => {
                self.verb = match *method {
                    Method::POST => "create",
                    Method::GET | Method::HEAD => "get",
                    Method::PUT => "update",
                    Method::PATCH => "patch",
                    Method::DELETE => "delete",
                    _ => "",
                }
                .to_owned();
                Ok(rest)
            }
        }
    }

    fn take_namespace<'a, 'b>(&mut self, rest: &'a [&'b str]) -> &'a [&'b str] {
        let ["namespaces", namespace, inside @ ..] = rest else {
            return rest;
        };
        self.namespace = (*namespace).to_owned();
        match inside {
            [resource, ..] if !NAMESPACE_SUBRESOURCES.contains(resource) => inside,
            _ => rest,
        }
    }

    fn take_resource(&mut self, rest: &[&str]) {
        self.parts = rest.iter().map(|&piece| piece.to_owned()).collect();
        if let [resource, ..] = rest {
            self.resource = (*resource).to_owned();
        }
        if let [_, name, ..] = rest {
            self.name = (*name).to_owned();
        }
        // What follows the name in a proxied path belongs to the path on the other side.
        if let [_, _, subresource, ..] = rest
            && self.verb != "proxy"
        {
            self.subresource = (*subresource).to_owned();
        }
    }

    /// Without a name, `get` is a list or a watch and `delete` is for the whole collection.
    fn refine_verb(&mut self, query: Option<&str>) {
        if !self.name.is_empty() {
            return;
        }
        match self.verb.as_str() {
            "delete" => self.verb = "deletecollection".to_owned(),
            "get" => {
                let query = Query::parse(query.unwrap_or_default());
                let watch = query.switch("watch").unwrap_or(false);
                self.verb = if watch { "watch" } else { "list" }.to_owned();
                if let Some(name) = query.text("fieldSelector").and_then(selected_name) {
                    self.name = name;
                }
            }
            _ => {}
        }
    }
}

/// The path of a URL without percent escapes.
pub(crate) fn decoded_path(uri: &Uri) -> Cow<'_, str> {
    percent_decode_str(uri.path()).decode_utf8_lossy()
}

/// The name in a field selector that asks for exactly one, if it can stand in a path.
fn selected_name(selector: &str) -> Option<String> {
    let name = selector.split(',').find_map(|term| {
        let value = term.strip_prefix("metadata.name=")?;
        Some(value.strip_prefix('=').unwrap_or(value))
    })?;
    let can_be_segment = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '%']);
    can_be_segment.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// verb, prefix, group, version, namespace, resource, subresource, name, number of parts
    type Row<'a> = (&'a str, &'a str, [&'a str; 8], usize);

    fn check((method, target, want, parts): Row<'_>) {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let info = RequestInfo::parse(&method.parse().unwrap(), path, query).unwrap();
        assert!(info.is_resource_request, "{target}");
        let got = [
            info.verb.as_str(),
            &info.api_prefix,
            &info.api_group,
            &info.api_version,
            &info.namespace,
            &info.resource,
            &info.subresource,
            &info.name,
        ];
        assert_eq!(got, want, "{method} {target}");
        assert_eq!(info.parts.len(), parts, "{method} {target}");
    }

    #[test]
    #[rustfmt::skip]
    fn resource_paths() {
        let rows: &[Row<'_>] = &[
            ("GET", "/api/v1/namespaces", ["list", "api", "", "v1", "", "namespaces", "", ""], 1),
            ("GET", "/api/v1/namespaces/a", ["get", "api", "", "v1", "a", "namespaces", "", "a"], 2),
            ("PUT", "/api/v1/namespaces/a/finalize", ["update", "api", "", "v1", "a", "namespaces", "finalize", "a"], 3),
            ("GET", "/api/v1/namespaces/a/pods", ["list", "api", "", "v1", "a", "pods", "", ""], 1),
            ("HEAD", "/api/v1/namespaces/a/pods/p", ["get", "api", "", "v1", "a", "pods", "", "p"], 2),
            ("GET", "/api/v1/namespaces/a/pods/p/log", ["get", "api", "", "v1", "a", "pods", "log", "p"], 3),
            ("GET", "/api/v1/namespaces/a/pods/p/proxy/x/y", ["get", "api", "", "v1", "a", "pods", "proxy", "p"], 5),
            ("GET", "/api/v1/watch/namespaces/a/pods", ["watch", "api", "", "v1", "a", "pods", "", ""], 1),
            ("GET", "/api/v1/proxy/namespaces/a/pods/p/x", ["proxy", "api", "", "v1", "a", "pods", "", "p"], 3),
            ("GET", "/api/v1/pods?watch=true", ["watch", "api", "", "v1", "", "pods", "", ""], 1),
            ("GET", "/api/v1/pods?watch=0", ["list", "api", "", "v1", "", "pods", "", ""], 1),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dx", ["list", "api", "", "v1", "", "pods", "", "x"], 1),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name!=x", ["list", "api", "", "v1", "", "pods", "", ""], 1),
            ("DELETE", "/apis/apps/v1/namespaces/a/deployments", ["deletecollection", "apis", "apps", "v1", "a", "deployments", "", ""], 1),
            ("DELETE", "/apis/apps/v1/namespaces/a/deployments/d", ["delete", "apis", "apps", "v1", "a", "deployments", "", "d"], 2),
            ("POST", "/apis/apps/v1/namespaces/a/deployments", ["create", "apis", "apps", "v1", "a", "deployments", "", ""], 1),
            ("PATCH", "/apis/g.io/v1/things/t/", ["patch", "apis", "g.io", "v1", "", "things", "", "t"], 2),
        ];
        for row in rows {
            check(*row);
        }
    }

    #[test]
    fn other_paths() {
        for path in [
            "/",
            "/api",
            "/api/v1",
            "/apis",
            "/apis/apps",
            "/apis/apps/v1",
            "/version",
            "/healthz/etcd/x",
            "",
        ] {
            let info = RequestInfo::parse(&Method::POST, path, None).unwrap();
            assert!(!info.is_resource_request, "{path}");
            assert_eq!((info.verb.as_str(), info.path.as_str()), ("post", path));
        }
    }

    #[test]
    fn a_special_verb_needs_a_resource() {
        let error = RequestInfo::parse(&Method::GET, "/api/v1/watch", None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unable to determine kind and namespace from url, /api/v1/watch"
        );
    }
}
