//! Discovery: which groups, versions and resources there are, as single documents and all at once (KEP-3352).

mod aggregated;
mod endpoint;
mod legacy;

pub(crate) use aggregated::aggregated;
pub(crate) use endpoint::{serve_aggregated, wants_aggregated};
pub(crate) use legacy::{api_versions, group, group_list, resource_list};

use serde::{Deserialize, Serialize};

use crate::registry::facts::ResourceFacts;

/// An API group for discovery. The core group has the name `""`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDiscovery {
    /// The group's name.
    pub name: String,
    /// The versions, the preferred one first.
    pub versions: Vec<VersionDiscovery>,
}

/// One version of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionDiscovery {
    /// Such as `v1`.
    pub version: String,
    /// The resources, each followed by its subresources.
    pub resources: Vec<ApiResource>,
    /// True where a server behind this one did not answer lately and the resources are what it said before.
    pub stale: bool,
}

/// A resource or subresource (`pods/log`), in the shape of `meta/v1.APIResource`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiResource {
    /// The plural name; a subresource follows after a slash.
    pub name: String,
    /// The singular name, empty for subresources.
    pub singular_name: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// The kind's group; may be empty where it is the resource's. The single documents leave it out there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind's version, like the group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The kind.
    pub kind: String,
    /// In alphabetical order.
    pub verbs: Vec<String>,
    /// Such as `po`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub short_names: Vec<String>,
    /// Such as `all`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// A fingerprint of the kind that is stored.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage_version_hash: String,
}

impl ApiResource {
    /// A built-in resource followed by its subresources.
    pub fn of(facts: &ResourceFacts) -> Vec<Self> {
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<String>>();
        let resource = Self {
            name: facts.plural.to_owned(),
            singular_name: facts.singular.to_owned(),
            namespaced: facts.namespaced,
            kind: facts.kind.to_owned(),
            verbs: owned(facts.verbs),
            short_names: owned(facts.short_names),
            categories: owned(facts.categories),
            storage_version_hash: facts.storage_version_hash.to_owned(),
            ..Self::default()
        };
        let subresources = facts.subresources.iter().map(|sub| {
            let is_own = (sub.group, sub.version) == (facts.group, facts.version);
            let unless_own = |text: &str| if is_own { String::new() } else { text.to_owned() };
            Self {
                name: format!("{}/{}", facts.plural, sub.name),
                namespaced: facts.namespaced,
                group: unless_own(sub.group),
                version: unless_own(sub.version),
                kind: sub.kind.to_owned(),
                verbs: owned(sub.verbs),
                ..Self::default()
            }
        });
        std::iter::once(resource).chain(subresources).collect()
    }
}
