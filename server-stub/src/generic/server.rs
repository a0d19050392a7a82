//! `GenericApiServer`: API groups, other paths, hooks and health checks of one server in the chain.

use std::sync::Arc;

use async_trait::async_trait;

use super::delegation::{DelegationTarget, Handler};
use super::discovery::{self, ApiResource, GroupDiscovery, VersionDiscovery};
use super::health::{HealthCheck, HealthChecks};
use super::hooks::{DuplicateHookError, PostStartHook, PreShutdownHook};
use super::mux::PathRecorderMux;
use super::openapi::DocumentSource;
use super::request::{Request, RequestInfo, Response};
use super::respond;
use crate::status::ApiError;

/// Serves the resources of one version of a group.
#[async_trait]
pub trait ApiVersionHandler: Send + Sync {
    /// What there is, each resource followed by its subresources.
    fn resources(&self) -> Vec<ApiResource>;

    /// Answers a request whose path names a resource (which may not exist) in this version.
    async fn serve(&self, info: &RequestInfo, request: Request) -> Response;
}

/// An API group to install into a server.
#[derive(Clone)]
pub struct ApiGroup {
    /// The group's name, `""` for the core group at `/api`.
    pub name: String,
    /// The versions by name, the preferred one first.
    pub versions: Vec<(String, Arc<dyn ApiVersionHandler>)>,
}

/// One server of the delegation chain.
///
/// A request goes to the API groups installed here, then to this server's other paths, then to the delegate.
pub struct GenericApiServer {
    name: &'static str,
    external_address: String,
    groups: Vec<ApiGroup>,
    mux: PathRecorderMux,
    openapi_sources: Vec<Arc<dyn DocumentSource>>,
    checks: HealthChecks,
    post_start_hooks: Vec<PostStartHook>,
    pre_shutdown_hooks: Vec<PreShutdownHook>,
    duplicate_hook: Option<DuplicateHookError>,
    delegate: Arc<dyn DelegationTarget>,
}

impl GenericApiServer {
    /// A server without API groups. `external_address` is where clients reach it, as host and port.
    pub fn new(name: &'static str, external_address: impl Into<String>, delegate: Arc<dyn DelegationTarget>) -> Self {
        tracing::debug!(server = name, "created");
        Self {
            name,
            external_address: external_address.into(),
            groups: Vec::new(),
            mux: PathRecorderMux::default(),
            openapi_sources: delegate.openapi_sources(),
            checks: delegate.health_checks(),
            post_start_hooks: delegate.post_start_hooks(),
            pre_shutdown_hooks: delegate.pre_shutdown_hooks(),
            duplicate_hook: None,
            delegate,
        }
    }

    /// The name of the server, for logs.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where clients reach the server, as host and port.
    pub(super) fn external_address(&self) -> &str {
        &self.external_address
    }

    /// Serves a group; the core group at `/api`, any other at `/apis/<name>`.
    pub fn install_api_group(&mut self, group: ApiGroup) {
        self.groups.push(group);
    }

    /// The paths outside of the API groups.
    pub fn mux(&mut self) -> &mut PathRecorderMux {
        &mut self.mux
    }

    /// Describes groups that are not built in at `/openapi`.
    pub fn add_openapi_source(&mut self, source: Arc<dyn DocumentSource>) {
        self.openapi_sources.push(source);
    }

    /// Adds a check to `/healthz`, `/livez` and `/readyz`.
    pub fn add_health_check(&mut self, check: HealthCheck) {
        self.checks.add(check);
    }

    /// Adds a check to `/readyz` only.
    pub fn add_readyz_check(&mut self, check: HealthCheck) {
        self.checks.add_readyz(check);
    }

    /// Adds a hook together with its health check. A second one of the same name keeps the server from starting.
    pub fn add_post_start_hook(&mut self, hook: PostStartHook) {
        if let Some(first) = self.post_start_hooks.iter().find(|first| first.name() == hook.name()) {
            self.duplicate_hook.get_or_insert(first.duplicate(&hook));
            return;
        }
        self.checks.add(hook.health_check());
        self.post_start_hooks.push(hook);
    }

    /// Adds a hook that runs before the server stops answering.
    pub fn add_pre_shutdown_hook(&mut self, hook: PreShutdownHook) {
        self.pre_shutdown_hooks.push(hook);
    }

    /// The hooks that have one name, if any.
    pub(super) fn take_duplicate_hook(&mut self) -> Option<DuplicateHookError> {
        self.duplicate_hook.take()
    }

    /// The server that gets what this one does not serve.
    pub fn delegate(&self) -> &Arc<dyn DelegationTarget> {
        &self.delegate
    }

    fn group(&self, name: &str) -> Option<&ApiGroup> {
        self.groups.iter().find(|group| group.name == name)
    }

    async fn serve_group(&self, group: &ApiGroup, rest: &[&str], info: &RequestInfo, request: Request) -> Response {
        match rest {
            [] | [""] if group.name.is_empty() => serve_core_group(&group.discover(), &self.external_address, &request),
            [] | [""] => respond::document(&request, discovery::group(&group.discover())),
            [version, rest @ ..] => match group.version(version) {
                None => respond::error(&ApiError::unknown_path(), respond::error_format(&request)),
                Some(handler) if matches!(rest, [] | [""]) => {
                    let version = discover_version(version, handler.as_ref());
                    respond::document(&request, discovery::resource_list(&group.name, &version))
                }
                Some(handler) => handler.serve(info, request).await,
            },
        }
    }
}

#[async_trait]
impl Handler for GenericApiServer {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        let pieces: Vec<&str> = info.path.trim_start_matches('/').split('/').collect();
        let (group, rest) = match pieces.as_slice() {
            ["api", rest @ ..] => (self.group(""), rest),
            ["apis", name, rest @ ..] if !name.is_empty() => (self.group(name), rest),
            _ => (None, pieces.as_slice()),
        };
        if let Some(group) = group {
            return self.serve_group(group, rest, &info, request).await;
        }
        match self.mux.find(&info.path) {
            Some(handler) => handler.handle(request).await,
            None => self.delegate.handle(request).await,
        }
    }
}

impl DelegationTarget for GenericApiServer {
    fn groups(&self) -> Vec<GroupDiscovery> {
        let own = self.groups.iter().map(ApiGroup::discover);
        self.delegate.groups().into_iter().chain(own).collect()
    }

    fn listed_paths(&self) -> Vec<String> {
        let mut paths = self.delegate.listed_paths();
        paths.extend_from_slice(self.mux.listed());
        for group in &self.groups {
            let root = if group.name.is_empty() {
                "/api".to_owned()
            } else {
                format!("/apis/{}", group.name)
            };
            paths.extend(group.versions.iter().map(|(version, _)| format!("{root}/{version}")));
            paths.push(root);
        }
        paths
    }

    fn openapi_sources(&self) -> Vec<Arc<dyn DocumentSource>> {
        self.openapi_sources.clone()
    }

    fn health_checks(&self) -> HealthChecks {
        self.checks.clone()
    }

    fn post_start_hooks(&self) -> Vec<PostStartHook> {
        self.post_start_hooks.clone()
    }

    fn pre_shutdown_hooks(&self) -> Vec<PreShutdownHook> {
        self.pre_shutdown_hooks.clone()
    }
}

impl ApiGroup {
    fn version(&self, name: &str) -> Option<&Arc<dyn ApiVersionHandler>> {
        self.versions
            .iter()
            .find(|(version, _)| version == name)
            .map(|(_, handler)| handler)
    }

    /// What discovery says about the group.
    pub fn discover(&self) -> GroupDiscovery {
        GroupDiscovery {
            name: self.name.clone(),
            versions: self
                .versions
                .iter()
                .map(|(version, handler)| discover_version(version, handler.as_ref()))
                .collect(),
        }
    }
}

fn discover_version(version: &str, handler: &dyn ApiVersionHandler) -> VersionDiscovery {
    VersionDiscovery {
        version: version.to_owned(),
        resources: handler.resources(),
        stale: false,
    }
}

fn serve_core_group(group: &GroupDiscovery, address: &str, request: &Request) -> Response {
    if let Some(format) = discovery::wants_aggregated(request) {
        return discovery::serve_aggregated(std::slice::from_ref(group), format, request);
    }
    respond::document(request, discovery::api_versions(group, address))
}
