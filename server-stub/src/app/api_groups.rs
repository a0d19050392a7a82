//! The built-in API groups, ready to be installed into the servers of the chain.

use std::sync::Arc;

use super::chain::ChainConfig;
use super::component_statuses::ComponentStatuses;
use crate::authentication::reviews::{SelfSubjectReview, TokenReview};
use crate::authorization::reviews::{AccessReview, Scope, SelfSubjectRulesReview};
use crate::endpoints::{ApiGroupVersion, Backend, Endpoints, Equivalents, VirtualResource};
use crate::generic::server::{ApiGroup, ApiVersionHandler};
use crate::registry::facts::{self, GroupFacts, ResourceFacts};
use crate::registry::stores::Stores;

/// The groups that have not been installed yet.
pub(super) struct ApiGroups {
    groups: Vec<ApiGroup>,
    endpoints: Endpoints,
}

impl ApiGroups {
    /// All groups with a version that is served by default, with their stores.
    pub(super) fn new(config: &ChainConfig) -> Self {
        let endpoints = Endpoints {
            stores: Arc::new(Stores::open(
                config.storage_factory.clone(),
                &config.service_ranges,
                config.capabilities,
            )),
            backends: config.backends.clone(),
            admission: config.admission.clone(),
            equivalents: Equivalents::built_in(),
            service_account_tokens: config.service_account_tokens.clone(),
            metrics: config.metrics.clone(),
            clock: config.clock.clone(),
            ids: config.ids.clone(),
            min_request_timeout: config.min_request_timeout,
            stop: config.lifecycle.not_accepting_new_request.clone(),
        };
        let groups = facts::groups().iter().map(|group| api_group(group, config, &endpoints));
        Self {
            groups: groups.filter(|group| !group.versions.is_empty()).collect(),
            endpoints,
        }
    }

    /// What requests for any resource need.
    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Takes one group out; an empty one if it is not there.
    pub(super) fn take(&mut self, name: &str) -> ApiGroup {
        match self.groups.iter().position(|group| group.name == name) {
            Some(index) => self.groups.remove(index),
            None => ApiGroup {
                name: name.to_owned(),
                versions: Vec::new(),
            },
        }
    }

    /// Takes all that are left.
    pub(super) fn rest(self) -> Vec<ApiGroup> {
        self.groups
    }
}

fn api_group(group: &GroupFacts, config: &ChainConfig, endpoints: &Endpoints) -> ApiGroup {
    let served = group.versions.iter().filter(|version| version.served);
    let version = |version: &facts::VersionFacts| {
        let own =
            |facts: &&ResourceFacts| facts.served && facts.group == group.group && facts.version == version.version;
        let resources = facts::resources()
            .iter()
            .filter(own)
            .map(|facts| (facts, backend(facts, config, &endpoints.stores)));
        let handler = ApiGroupVersion::new(resources, endpoints.clone());
        (
            version.version.to_owned(),
            Arc::new(handler) as Arc<dyn ApiVersionHandler>,
        )
    };
    ApiGroup {
        name: group.group.to_owned(),
        versions: served.map(version).collect(),
    }
}

/// The store of a resource, or what answers instead of one.
fn backend(facts: &'static ResourceFacts, config: &ChainConfig, stores: &Stores) -> Option<Backend> {
    if let Some(store) = stores.of(facts) {
        return Some(Backend::Store(store.clone()));
    }
    let access = |scope| AccessReview {
        authorizer: config.authorizer.clone(),
        scope,
    };
    let resource: Arc<dyn VirtualResource> = match (facts.group, facts.plural) {
        ("authorization.k8s.io", "subjectaccessreviews") => Arc::new(access(Scope::Subject)),
        ("authorization.k8s.io", "selfsubjectaccessreviews") => Arc::new(access(Scope::Own)),
        ("authorization.k8s.io", "localsubjectaccessreviews") => Arc::new(access(Scope::Local)),
        ("authorization.k8s.io", "selfsubjectrulesreviews") => {
            Arc::new(SelfSubjectRulesReview(config.authorizer.clone()))
        }
        ("authentication.k8s.io", "tokenreviews") => Arc::new(TokenReview(config.tokens.clone())),
        ("authentication.k8s.io", "selfsubjectreviews") => Arc::new(SelfSubjectReview(config.clock.clone())),
        ("", "componentstatuses") => Arc::new(ComponentStatuses(config.storage_factory.default_storage().clone())),
        _ => return None,
    };
    Some(Backend::Virtual(resource))
}
