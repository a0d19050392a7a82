//! The resources of one group and version, behind their paths.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kubewire_client::Gvk;
use kubewire_client::wire::schema;
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::equivalents::Equivalents;
use super::negotiation::{ALL_FORMATS, Offer};
use super::resource::{ObjectKind, Resource};
use super::virtual_resource::{Virtual, VirtualResource};
use super::{connect, delete, patch, read, subresources, write};
use crate::admission::AdmissionPlugins;
use crate::authentication::ServiceAccountTokens;
use crate::filters::WarningRecorder;
use crate::generic::clock::{Clock, Ids};
use crate::generic::discovery::ApiResource;
use crate::generic::metrics::Metrics;
use crate::generic::request::{Request, RequestBody, RequestInfo, Response, UserInfo};
use crate::generic::respond;
use crate::generic::server::ApiVersionHandler;
use crate::proxy::Backends;
use crate::registry::Store;
use crate::registry::facts::ResourceFacts;
use crate::registry::stores::Stores;
use crate::status::{ApiError, GroupResource};

/// Serves the resources of one group and version.
pub struct ApiGroupVersion {
    resources: BTreeMap<&'static str, Resource>,
    virtuals: BTreeMap<&'static str, Virtual>,
    /// What discovery shows and requests get a 501 for.
    not_served: Vec<&'static ResourceFacts>,
    endpoints: Endpoints,
}

/// What requests for any resource need.
#[derive(Clone)]
pub struct Endpoints {
    /// The stores of all built-in groups.
    pub stores: Arc<Stores>,
    /// The servers that requests for nodes, pods and services are handed to.
    pub backends: Arc<Backends>,
    /// What looks at objects before they are stored.
    pub(crate) admission: Arc<AdmissionPlugins>,
    /// The other versions of built-in resources.
    pub(crate) equivalents: Equivalents,
    /// Issues tokens of service accounts.
    pub service_account_tokens: Arc<ServiceAccountTokens>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Clock,
    /// Uids and generated names.
    pub ids: Ids,
    /// How long a watch that asked for no time goes on at least.
    pub min_request_timeout: Duration,
    /// Ends watches.
    pub stop: CancellationToken,
}

/// What is behind a resource.
pub enum Backend {
    /// Stored objects.
    Store(Arc<Store>),
    /// Answers that are made up.
    Virtual(Arc<dyn VirtualResource>),
}

impl ApiGroupVersion {
    /// Serves these resources, all of one group and version; those without a backend are in discovery only.
    pub fn new(
        resources: impl IntoIterator<Item = (&'static ResourceFacts, Option<Backend>)>,
        endpoints: Endpoints,
    ) -> Self {
        let (mut served, mut virtuals, mut not_served) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for (facts, backend) in resources {
            match (schema::kind(&Gvk::new(facts.group, facts.version, facts.kind)), backend) {
                (Some(kind), Some(Backend::Store(store))) => {
                    let kind = ObjectKind::BuiltIn(facts, kind);
                    served.insert(
                        facts.plural,
                        Resource {
                            kind,
                            store,
                            equivalents: endpoints.equivalents.clone(),
                            frames: Arc::default(),
                        },
                    );
                }
                (_, Some(Backend::Virtual(resource))) => {
                    let clock = endpoints.clock.clone();
                    virtuals.insert(facts.plural, Virtual { facts, resource, clock });
                }
                _ => not_served.push(facts),
            }
        }
        Self {
            resources: served,
            virtuals,
            not_served,
            endpoints,
        }
    }

    /// The error for a resource that is not served.
    fn unknown(&self, info: &RequestInfo) -> ApiError {
        match self.not_served.iter().find(|facts| facts.plural == info.resource) {
            // There is nothing to name where nothing can be read, nor anything in all namespaces.
            Some(facts)
                if facts.verbs == ["create"]
                    && (!info.name.is_empty() || info.namespace.is_empty() && facts.namespaced) =>
            {
                ApiError::unknown_path()
            }
            Some(facts) if !facts.verbs.contains(&info.verb.as_str()) => ApiError::method_not_allowed(),
            Some(facts) => {
                let resource = GroupResource::new(facts.group, facts.plural);
                ApiError::not_implemented(format!("{resource} in version {} is not served yet", facts.version))
            }
            None => ApiError::unknown_path(),
        }
    }

    /// A pod can be bound by a request that names it in the body only.
    async fn bind(
        &self,
        info: &RequestInfo,
        user: &Arc<UserInfo>,
        head: &http::request::Parts,
        body: RequestBody,
    ) -> Result<Response, ApiError> {
        let pods = self.resources.get("pods").ok_or_else(|| self.unknown(info))?;
        let mut info = info.clone();
        info.resource = "pods".to_owned();
        info.subresource = "binding".to_owned();
        let call = Call::new(pods, &info, user, head, &self.endpoints);
        write::create(&call, body).await
    }

    async fn dispatch(
        &self,
        info: &RequestInfo,
        user: &Arc<UserInfo>,
        head: &http::request::Parts,
        body: RequestBody,
    ) -> Result<Response, ApiError> {
        if let Some(resource) = self.virtuals.get(info.resource.as_str()) {
            return resource.serve(info, user, head, body).await;
        }
        if info.resource == "bindings" && info.verb == "create" && info.name.is_empty() && !info.namespace.is_empty() {
            return self.bind(info, user, head, body).await;
        }
        let resource = self
            .resources
            .get(info.resource.as_str())
            .ok_or_else(|| self.unknown(info))?;
        let call = Call::new(resource, info, user, head, &self.endpoints);
        if connect::is_connect(&call) {
            check_connect(resource, info)?;
            let request = Request::from_parts(head.clone(), body);
            return connect::connect(&call, &self.endpoints.backends, request).await;
        }
        check_path(resource, info)?;
        check_verb(resource, info, &head.method)?;
        WarningRecorder::of(&head.extensions).extend(deprecation(info));
        self.endpoints.dispatch(resource, info, user, head, body).await
    }
}

impl Endpoints {
    /// Answers a request for a resource.
    pub(crate) async fn serve(&self, resource: &Resource, info: &RequestInfo, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let user = user_of(&head);
        match check_verb(resource, info, &head.method) {
            Ok(()) => {
                let answer = self.dispatch(resource, info, &user, &head, body).await;
                answer.unwrap_or_else(|error| refuse(&error, &head))
            }
            Err(error) => refuse(&error, &head),
        }
    }

    async fn dispatch(
        &self,
        resource: &Resource,
        info: &RequestInfo,
        user: &Arc<UserInfo>,
        head: &http::request::Parts,
        body: RequestBody,
    ) -> Result<Response, ApiError> {
        let call = Call::new(resource, info, user, head, self);
        if !SERVED_SUBRESOURCES.contains(&info.subresource.as_str()) {
            return Err(subresources::not_served(&call));
        }
        match info.verb.as_str() {
            "get" => read::get(&call).await,
            "list" => read::list(&call).await,
            "watch" => read::watch(&call, self.min_request_timeout, self.stop.clone()).await,
            "create" => write::create(&call, body).await,
            "update" => write::update(&call, body).await,
            "patch" => patch::patch(&call, body).await,
            "delete" => delete::delete(&call, body).await,
            "deletecollection" => delete::delete_collection(&call, body).await,
            _ => Err(ApiError::method_not_allowed()),
        }
    }
}

#[async_trait]
impl ApiVersionHandler for ApiGroupVersion {
    fn resources(&self) -> Vec<ApiResource> {
        let served = self.resources.values().filter_map(|resource| match &resource.kind {
            ObjectKind::BuiltIn(facts, _) => Some(*facts),
            ObjectKind::Custom(_) => None,
        });
        let virtuals = self.virtuals.values().map(|resource| resource.facts);
        let mut all: Vec<_> = served.chain(virtuals).chain(self.not_served.iter().copied()).collect();
        all.sort_by_key(|facts| facts.plural);
        all.into_iter().flat_map(ApiResource::of).collect()
    }

    async fn serve(&self, info: &RequestInfo, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let answer = self.dispatch(info, &user_of(&head), &head, body).await;
        answer.unwrap_or_else(|error| refuse(&error, &head))
    }
}

fn user_of(head: &http::request::Parts) -> Arc<UserInfo> {
    let user = head.extensions.get::<Arc<UserInfo>>().cloned();
    user.unwrap_or_else(|| Arc::new(UserInfo::anonymous()))
}

fn refuse(error: &ApiError, head: &http::request::Parts) -> Response {
    respond::error(error, ERRORS.for_error(&head.headers, head.uri.query()))
}

/// The empty name stands for the object itself.
const SERVED_SUBRESOURCES: [&str; 10] = [
    "",
    "status",
    "finalize",
    "approval",
    "ephemeralcontainers",
    "resize",
    "scale",
    "binding",
    "eviction",
    "token",
];

const ERRORS: Offer<'static> = Offer {
    formats: ALL_FORMATS,
    protobuf_objects: true,
    views: true,
    streams: true,
};

/// What clients are told about old APIs.
pub(super) fn deprecation(info: &RequestInfo) -> Option<String> {
    let text = match (
        info.api_group.as_str(),
        info.api_version.as_str(),
        info.resource.as_str(),
    ) {
        ("", "v1", "componentstatuses") => "v1 ComponentStatus is deprecated in v1.19+",
        ("", "v1", "endpoints") => "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        _ => return None,
    };
    Some(text.to_owned())
}

/// Fails where no resource is behind the path.
fn check_path(resource: &Resource, info: &RequestInfo) -> Result<(), ApiError> {
    let resource_info = resource.info();
    // The namespace of a namespace is itself.
    let own = resource_info.group.is_empty() && resource_info.resource == "namespaces" && info.namespace == info.name;
    let misplaced = match resource_info.namespaced {
        true => info.namespace.is_empty() && info.parts.len() > 1,
        false => !info.namespace.is_empty() && !own,
    };
    let behind_version = if info.api_group.is_empty() { 3 } else { 4 };
    let is_old_watch = info.path.split('/').nth(behind_version) == Some("watch");
    let unknown_subresource =
        !info.subresource.is_empty() && (is_old_watch || resource.subresource(&info.subresource).is_none());
    if misplaced || unknown_subresource || info.parts.len() > 3 || info.name.contains('/') {
        return Err(ApiError::unknown_path());
    }
    if matches!(info.name.as_str(), "." | "..") {
        let message = format!("Name parameter invalid: {:?}: may not be '{}'", info.name, info.name);
        return Err(ApiError::bad_request(message));
    }
    Ok(())
}

/// Fails where a subresource of another server does not know the verb, or stands in the wrong place.
fn check_connect(resource: &Resource, info: &RequestInfo) -> Result<(), ApiError> {
    match resource.subresource(&info.subresource) {
        None => Err(ApiError::unknown_path()),
        Some(_) if resource.info().namespaced == info.namespace.is_empty() => Err(ApiError::unknown_path()),
        Some(subresource) if subresource.verbs.contains(&info.verb.as_str()) => Ok(()),
        Some(_) => Err(ApiError::method_not_allowed()),
    }
}

/// Fails where the resource does not know the verb in this place.
fn check_verb(resource: &Resource, info: &RequestInfo, method: &http::Method) -> Result<(), ApiError> {
    let verb = info.verb.as_str();
    let subresource = resource.subresource(&info.subresource);
    let verbs = subresource.as_ref().map_or(resource.verbs(), |sub| sub.verbs);
    let has_name = info.parts.len() > 1;
    let in_place = match verb {
        "create" => has_name == subresource.is_some(),
        "update" | "patch" | "delete" => has_name,
        _ => true,
    };
    let everywhere = resource.info().namespaced && info.namespace.is_empty();
    let allowed = in_place && verbs.contains(&verb) && !(everywhere && matches!(verb, "create" | "deletecollection"));
    if allowed && method != http::Method::HEAD {
        return Ok(());
    }
    Err(match &resource.kind {
        ObjectKind::Custom(_) if matches!(verb, "create" | "delete") && subresource.is_some() => {
            ApiError::method_not_supported(&resource.group_resource(), verb)
        }
        ObjectKind::Custom(_) if matches!(verb, "update" | "patch") && !has_name => {
            ApiError::bad_request("name must be provided")
        }
        _ => ApiError::method_not_allowed(),
    })
}
