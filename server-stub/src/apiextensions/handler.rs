//! Serves custom resources: looks up the definition of each request's resource, and its objects in that version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use parking_lot::RwLock;
use serde_json::Value;

use super::condition_is_true;
use super::definitions::{Definition, Definitions};
use super::openapi::{Described, Documents};
use super::serving::Serving;
use crate::aggregator::{ServiceResolver, version_rank};
use crate::endpoints::{Endpoints, body};
use crate::filters::WarningRecorder;
use crate::generic::delegation::{DelegationTarget, Handler, NotFound};
use crate::generic::discovery::{self, GroupDiscovery, VersionDiscovery};
use crate::generic::request::{Request, RequestInfo, Response};
use crate::generic::respond;
use crate::registry::storage_factory::StorageFactory;
use crate::registry::validation::values::items;
use crate::registry::{DeleteOptions, ListQuery, WriteContext};
use crate::status::{ApiError, GroupResource};

/// Custom resources of all definitions, and at the end of the chain the answer to everything unknown.
pub(crate) struct CrdHandler {
    storage: StorageFactory,
    endpoints: Endpoints,
    /// Where webhooks are that stand behind services.
    services: Arc<OnceLock<ServiceResolver>>,
    definitions: RwLock<Definitions>,
    pub(super) documents: Documents,
}

impl CrdHandler {
    pub(crate) fn new(storage: StorageFactory, endpoints: Endpoints) -> Self {
        Self {
            storage,
            endpoints,
            services: Arc::default(),
            definitions: RwLock::default(),
            documents: Documents::default(),
        }
    }

    /// Learns where the servers behind services are.
    pub(crate) fn follow_services(&self, resolver: ServiceResolver) {
        // A second one would know the same.
        let _ = self.services.set(resolver);
    }

    /// Takes note of a new state of a definition.
    pub(crate) fn update(&self, document: Value) {
        let make = |document: &Value| Serving::new(document, &self.endpoints.ids, &self.services);
        if self.definitions.write().update(document, make) {
            self.documents.forget();
        }
    }

    /// Forgets a definition that is gone; its watches end.
    pub(crate) fn remove(&self, name: &str) {
        self.definitions.write().remove(name);
        self.documents.forget();
    }

    /// Deletes all objects of a definition, and returns how many are still there.
    pub(crate) async fn delete_objects(&self, name: &str) -> Result<usize, ApiError> {
        let definition = self.definitions.read().get(name);
        let Some(definition) = definition else { return Ok(0) };
        let serving = &definition.serving;
        let Some(resource) = serving.resource(&serving.versions.storage, &self.storage) else {
            return Ok(0);
        };
        let store = &resource.store;
        let all = ListQuery::default();
        let namespaces: BTreeSet<String> = store
            .list("", &all)
            .await?
            .items
            .iter()
            .map(|o| o.header().namespace.clone())
            .collect();
        let context = WriteContext {
            clock: self.endpoints.clock.clone(),
            ids: self.endpoints.ids.clone(),
            ..WriteContext::default()
        };
        for namespace in namespaces {
            store
                .delete_collection(&context, &namespace, &all, DeleteOptions::default())
                .await?;
        }
        Ok(store.list("", &all).await?.items.len())
    }

    fn definition(&self, group: &str, plural: &str) -> Option<Arc<Definition>> {
        self.definitions.read().get(&format!("{plural}.{group}"))
    }

    /// Answers a request for a custom resource; gives it back where there is none.
    async fn serve(&self, info: &RequestInfo, request: Request) -> Result<Response, Request> {
        let Some(definition) = self.definition(&info.api_group, &info.resource) else {
            return Err(request);
        };
        let document = &definition.document;
        let namespaced = document["spec"]["scope"] == "Namespaced";
        let everywhere = namespaced && matches!(info.verb.as_str(), "list" | "watch");
        let misplaced = namespaced == info.namespace.is_empty() && !everywhere;
        let accepted = ["NamesAccepted", "Established"]
            .into_iter()
            .any(|kind| condition_is_true(document, kind));
        let serving = &definition.serving;
        if misplaced || !accepted || !serving.served.contains(&info.api_version) {
            return Err(request);
        }
        let Some(resource) = serving.resource(&info.api_version, &self.storage) else {
            return Err(request);
        };
        let error_format = respond::error_format(&request);
        if !info.subresource.is_empty() && resource.subresource(&info.subresource).is_none() {
            let group_resource = GroupResource::new(info.api_group.clone(), info.resource.clone());
            let error = ApiError::not_found(&group_resource, &info.name);
            return Ok(respond::error(&error, error_format));
        }
        if info.verb == "create" && info.subresource.is_empty() && condition_is_true(document, "Terminating") {
            return Ok(respond::error(&too_late(info, request).await, error_format));
        }
        let deprecation = resource.custom().and_then(|kind| kind.deprecation.clone());
        WarningRecorder::of(request.extensions()).extend(deprecation);
        Ok(self.endpoints.serve(resource, info, request).await)
    }

    /// The groups, versions and resources of established definitions.
    fn discover(&self) -> Vec<GroupDiscovery> {
        let mut groups: BTreeMap<String, BTreeMap<String, VersionDiscovery>> = BTreeMap::new();
        for definition in self.definitions.read().all() {
            if !condition_is_true(&definition.document, "Established") {
                continue;
            }
            let serving = &definition.serving;
            for version in &serving.served {
                let Some(kind) = serving.versions.kinds.get(version) else {
                    continue;
                };
                let names = &definition.document["status"]["acceptedNames"];
                let versions = groups.entry(kind.group.clone()).or_default();
                let known = versions.entry(version.clone()).or_default();
                known.version.clone_from(version);
                known
                    .resources
                    .extend(kind.discover(names, &serving.storage_version_hash));
            }
        }
        let group = |(name, versions): (String, BTreeMap<String, VersionDiscovery>)| {
            let mut versions: Vec<_> = versions.into_values().collect();
            versions.sort_by_key(|version| std::cmp::Reverse(version_rank(&version.version)));
            GroupDiscovery { name, versions }
        };
        groups.into_iter().map(group).collect()
    }

    /// The served versions of established definitions, each with its schema.
    pub(super) fn described(&self) -> Vec<Described> {
        let mut all = Vec::new();
        for definition in self.definitions.read().all() {
            if !condition_is_true(&definition.document, "Established") {
                continue;
            }
            for version in items(&definition.document, "/spec/versions") {
                let name = version["name"].as_str().unwrap_or_default();
                let kind = definition.serving.versions.kinds.get(name);
                if let Some(kind) = kind.filter(|_| version["served"] == true) {
                    all.push(Described {
                        kind: kind.clone(),
                        schema: version["schema"]["openAPIV3Schema"].clone(),
                    });
                }
            }
        }
        all
    }

    /// `/apis/<group>` and `/apis/<group>/<version>`.
    fn serve_discovery(&self, path: &str, request: &Request) -> Option<Response> {
        let pieces: Vec<&str> = path.trim_matches('/').split('/').collect();
        let ["apis", name, rest @ ..] = pieces.as_slice() else {
            return None;
        };
        let groups = self.discover();
        let group = groups.iter().find(|group| group.name == *name)?;
        let document = match rest {
            [] => discovery::group(group),
            [version] => {
                let version = group.versions.iter().find(|known| known.version == *version)?;
                discovery::resource_list(name, version)
            }
            _ => return None,
        };
        Some(respond::document(request, document))
    }
}

#[async_trait]
impl Handler for CrdHandler {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        if !info.is_resource_request {
            return match self.serve_discovery(&info.path, &request) {
                Some(response) => response,
                None => NotFound.handle(request).await,
            };
        }
        match self.serve(&info, request).await {
            Ok(response) => response,
            Err(request) => NotFound.handle(request).await,
        }
    }
}

impl DelegationTarget for CrdHandler {
    fn groups(&self) -> Vec<GroupDiscovery> {
        self.discover()
    }

    fn listed_paths(&self) -> Vec<String> {
        let paths = self.discover().into_iter().flat_map(|group| {
            let root = format!("/apis/{}", group.name);
            let versions: Vec<String> = group.versions.iter().map(|v| format!("{root}/{}", v.version)).collect();
            std::iter::once(root).chain(versions)
        });
        paths.collect()
    }
}

/// The error for a new object whose definition is being deleted.
async fn too_late(info: &RequestInfo, request: Request) -> ApiError {
    let (head, body) = request.into_parts();
    let body = match body::read(&head.headers, body).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let object: Value = serde_json::from_slice(&body).unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let resource = GroupResource::new(info.api_group.clone(), info.resource.clone());
    let message = "create not allowed while custom resource definition is terminating";
    ApiError::forbidden(&resource, name, message)
}
