//! Groups, versions and resources.

use crate::dynamic::ApiResource;
use crate::resource::{Gvk, Gvr};

/// Everything that a server serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiCatalog {
    groups: Vec<ApiGroup>,
}

/// A group, such as `apps`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ApiGroup {
    /// The name; empty for the core group.
    pub name: String,
    /// The versions, the server's preferred one first.
    pub versions: Vec<ApiVersion>,
}

/// A version of a group.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ApiVersion {
    /// The version, such as `v1`.
    pub version: String,
    /// False where the server behind the group did not answer and this is what was known last.
    pub fresh: bool,
    /// The resources.
    pub resources: Vec<DiscoveredResource>,
}

/// A resource, with all that a server tells about it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DiscoveredResource {
    /// What is needed to use it.
    pub resource: ApiResource,
    /// The name of one, such as `deployment`; may be empty.
    pub singular: String,
    /// Short names, such as `deploy`.
    pub short_names: Vec<String>,
    /// Categories, such as `all`.
    pub categories: Vec<String>,
    /// The verbs, such as `get` and `watch`.
    pub verbs: Vec<String>,
    /// Subresources, such as `status`.
    pub subresources: Vec<Subresource>,
}

/// A subresource.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Subresource {
    /// The last part of the path, such as `scale`.
    pub name: String,
    /// Which kind goes in and comes out.
    pub kind: Gvk,
    /// The verbs.
    pub verbs: Vec<String>,
}

impl DiscoveredResource {
    /// True where the resource has this verb.
    pub fn supports(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }
}

impl ApiCatalog {
    pub(super) fn new(groups: Vec<ApiGroup>) -> Self {
        Self { groups }
    }

    /// The groups, in the server's order.
    pub fn groups(&self) -> &[ApiGroup] {
        &self.groups
    }

    /// One group; the core group has an empty name.
    pub fn group(&self, name: &str) -> Option<&ApiGroup> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// All resources of all versions, preferred versions first within a group.
    pub fn resources(&self) -> impl Iterator<Item = &DiscoveredResource> {
        let versions = self.groups.iter().flat_map(|group| &group.versions);
        versions.flat_map(|version| &version.resources)
    }

    /// Each resource once, in the first version of its group that has it: what a garbage collector, a backup or
    /// `kubectl get all` walks through.
    pub fn preferred_resources(&self) -> Vec<&DiscoveredResource> {
        let mut seen = std::collections::HashSet::new();
        self.resources()
            .filter(|found| seen.insert((&*found.resource.gvr.group, &*found.resource.gvr.resource)))
            .collect()
    }

    /// The resource of this group, version and plural name.
    pub fn resource(&self, gvr: &Gvr) -> Option<&DiscoveredResource> {
        self.resources().find(|found| found.resource.gvr == *gvr)
    }

    /// The resource that holds objects of this kind.
    pub fn resource_of(&self, gvk: &Gvk) -> Option<&DiscoveredResource> {
        self.resources().find(|found| {
            let gvr = &found.resource.gvr;
            found.resource.kind == gvk.kind && gvr.version == gvk.version && gvr.group == gvk.group
        })
    }

    /// True where the server has this resource.
    pub fn serves(&self, gvr: &Gvr) -> bool {
        self.resource(gvr).is_some()
    }
}
