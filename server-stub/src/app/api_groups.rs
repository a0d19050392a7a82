//! The built-in API groups, ready to be installed into the servers of the chain.

use std::sync::Arc;

use async_trait::async_trait;

use super::chain::ChainConfig;
use crate::generic::discovery::ApiResource;
use crate::generic::request::{Request, RequestInfo, Response};
use crate::generic::respond;
use crate::generic::server::{ApiGroup, ApiVersionHandler};
use crate::registry::facts::{self, GroupFacts};
use crate::status::ApiError;

/// The groups that have not been installed yet.
pub(super) struct ApiGroups(Vec<ApiGroup>);

impl ApiGroups {
    /// All groups with a version that is served by default.
    pub(super) fn new(_config: &ChainConfig) -> Self {
        let groups = facts::groups().iter().map(api_group);
        Self(groups.filter(|group| !group.versions.is_empty()).collect())
    }

    /// Takes one group out; an empty one if it is not there.
    pub(super) fn take(&mut self, name: &str) -> ApiGroup {
        match self.0.iter().position(|group| group.name == name) {
            Some(index) => self.0.remove(index),
            None => ApiGroup {
                name: name.to_owned(),
                versions: Vec::new(),
            },
        }
    }

    /// Takes all that are left.
    pub(super) fn rest(self) -> Vec<ApiGroup> {
        self.0
    }
}

fn api_group(group: &GroupFacts) -> ApiGroup {
    let served = group.versions.iter().filter(|version| version.served);
    let version = |version: &facts::VersionFacts| {
        let handler = BuiltInVersion {
            group: group.group,
            version: version.version,
        };
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

struct BuiltInVersion {
    group: &'static str,
    version: &'static str,
}

#[async_trait]
impl ApiVersionHandler for BuiltInVersion {
    fn resources(&self) -> Vec<ApiResource> {
        let own = |facts: &&facts::ResourceFacts| {
            (facts.group, facts.version, facts.served) == (self.group, self.version, true)
        };
        let mut resources: Vec<ApiResource> = facts::resources()
            .iter()
            .filter(own)
            .flat_map(ApiResource::of)
            .collect();
        resources.sort_by(|a, b| a.name.cmp(&b.name));
        resources
    }

    async fn serve(&self, _: &RequestInfo, request: Request) -> Response {
        let error = ApiError::not_implemented("the resources are not served yet");
        respond::error(&error, respond::error_format(&request))
    }
}
