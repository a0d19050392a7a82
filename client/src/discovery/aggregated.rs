//! The aggregated form: `APIGroupDiscoveryList` of `apidiscovery.k8s.io`, versions v2 and v2beta1 (KEP-3352).

use serde::Deserialize;

use super::catalog::{ApiGroup, ApiVersion, DiscoveredResource, Subresource};
use crate::dynamic::ApiResource;
use crate::resource::{Gvk, Gvr};

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    freshness: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Resource {
    resource: String,
    response_kind: Option<Kind>,
    scope: String,
    singular_resource: String,
    verbs: Vec<String>,
    short_names: Vec<String>,
    categories: Vec<String>,
    subresources: Vec<Sub>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Sub {
    subresource: String,
    response_kind: Option<Kind>,
    verbs: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    group: String,
    version: String,
    kind: String,
}

pub(super) fn read(text: &[u8]) -> Result<Vec<ApiGroup>, serde_json::Error> {
    let list: List = serde_json::from_slice(text)?;
    Ok(list.items.into_iter().map(group).collect())
}

fn group(group: Group) -> ApiGroup {
    let name = group.metadata.name;
    let versions = group.versions.into_iter();
    let versions = versions.map(|version| ApiVersion {
        fresh: version.freshness != "Stale",
        resources: version
            .resources
            .into_iter()
            .map(|found| resource(&name, &version.version, found))
            .collect(),
        version: version.version,
    });
    ApiGroup {
        versions: versions.collect(),
        name,
    }
}

fn resource(group: &str, version: &str, found: Resource) -> DiscoveredResource {
    let gvr = Gvr {
        group: group.to_owned().into(),
        version: version.to_owned().into(),
        resource: found.resource.into(),
    };
    let subresources = found.subresources.into_iter().map(|sub| Subresource {
        name: sub.subresource,
        kind: kind(group, version, sub.response_kind.unwrap_or_default()),
        verbs: sub.verbs,
    });
    DiscoveredResource {
        subresources: subresources.collect(),
        resource: ApiResource::new(
            gvr,
            found.response_kind.unwrap_or_default().kind,
            found.scope == "Namespaced",
        ),
        singular: found.singular_resource,
        short_names: found.short_names,
        categories: found.categories,
        verbs: found.verbs,
    }
}

/// Group and version are left out where they are those of the resource.
fn kind(group: &str, version: &str, kind: Kind) -> Gvk {
    let (group, version) = match (kind.group.as_str(), kind.version.as_str()) {
        ("", "") => (group.to_owned(), version.to_owned()),
        _ => (kind.group, kind.version),
    };
    Gvk {
        group: group.into(),
        version: version.into(),
        kind: kind.kind.into(),
    }
}
