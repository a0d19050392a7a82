//! `/apis` over all servers, in one of two forms, and `/apis/<group>`.

use std::sync::Arc;

use async_trait::async_trait;

use super::api_services::{ApiServiceInfo, ApiServices};
use crate::generic::delegation::{DelegationTarget, Handler};
use crate::generic::discovery::{self, GroupDiscovery, VersionDiscovery};
use crate::generic::request::{Request, Response};
use crate::generic::respond;

/// The groups of all servers.
pub(super) struct Groups {
    pub(super) own: GroupDiscovery,
    pub(super) services: Arc<ApiServices>,
    pub(super) delegate: Arc<dyn DelegationTarget>,
}

#[async_trait]
impl Handler for Groups {
    async fn handle(&self, request: Request) -> Response {
        match discovery::wants_aggregated(&request) {
            Some(format) => discovery::serve_aggregated(&self.served(), format, &request),
            None => respond::document(&request, discovery::group_list(&self.registered())),
        }
    }
}

impl Groups {
    /// `/apis/<group>`; `None` for a group that nobody serves.
    pub(super) fn serve_group(&self, name: &str, request: &Request) -> Option<Response> {
        let groups = self.registered();
        let group = groups.iter().find(|group| group.name == name)?;
        Some(respond::document(request, discovery::group(group)))
    }

    /// The groups and versions of which somebody has said what there is.
    fn served(&self) -> Vec<GroupDiscovery> {
        self.merged(|_| None)
    }

    /// Those of all APIServices, whether there is something or not.
    fn registered(&self) -> Vec<GroupDiscovery> {
        self.merged(|version| {
            Some(VersionDiscovery {
                version: version.to_owned(),
                ..VersionDiscovery::default()
            })
        })
    }

    /// The aggregator's own group, then the others by importance. `unserved` stands for versions that nobody serves.
    fn merged(&self, unserved: impl Fn(&str) -> Option<VersionDiscovery>) -> Vec<GroupDiscovery> {
        let local = self.delegate.groups();
        let resources = |group: &str, version: &str| {
            let group = local.iter().find(|g| g.name == group)?;
            group.versions.iter().find(|v| v.version == version).cloned()
        };
        let merged = self.services.by_group().into_iter().map(|(name, versions)| {
            let version = |service: ApiServiceInfo| match service.remote {
                None => resources(&name, &service.version).or_else(|| unserved(&service.version)),
                Some(remote) => {
                    let discovered = remote.discovered();
                    Some(VersionDiscovery {
                        version: service.version,
                        resources: discovered.resources,
                        stale: !discovered.current,
                    })
                }
            };
            let versions = versions.into_iter().filter_map(version).collect();
            GroupDiscovery {
                name: name.clone(),
                versions,
            }
        });
        let merged = merged.filter(|group| !group.versions.is_empty());
        std::iter::once(self.own.clone()).chain(merged).collect()
    }
}
