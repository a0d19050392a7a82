//! The aggregated form: `APIGroupDiscoveryList` of `apidiscovery.k8s.io`, versions v2 and v2beta1 (KEP-3352).

use k8s_openapi::List;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::catalog::{ApiGroup, ApiVersion, DiscoveredResource, Subresource};
use crate::dynamic::ApiResource;
use crate::resource::{Gvk, Gvr};
use crate::types::apidiscovery::{v2, v2beta1};
use crate::types::meta::v1::GroupVersionKind;

pub(super) fn read(text: &[u8], api_version: &str) -> Result<Vec<ApiGroup>, serde_json::Error> {
    if api_version == "apidiscovery.k8s.io/v2beta1" {
        let list: List<v2beta1::APIGroupDiscovery> = serde_json::from_slice(text)?;
        return Ok(groups(
            list.items.into_iter().map(|item| (item.metadata, item.versions)),
        ));
    }
    let list: List<v2::APIGroupDiscovery> = serde_json::from_slice(text)?;
    Ok(groups(
        list.items.into_iter().map(|item| (item.metadata, item.versions)),
    ))
}

type Group = (ObjectMeta, Option<Vec<v2::APIVersionDiscovery>>);

fn groups(groups: impl Iterator<Item = Group>) -> Vec<ApiGroup> {
    let group = |(metadata, versions): Group| {
        let name = metadata.name.unwrap_or_default();
        let versions = versions.unwrap_or_default().into_iter();
        let versions = versions.map(|found| version(&name, found)).collect();
        ApiGroup { versions, name }
    };
    groups.map(group).collect()
}

fn version(group: &str, found: v2::APIVersionDiscovery) -> ApiVersion {
    let resources = found.resources.unwrap_or_default().into_iter();
    ApiVersion {
        fresh: found.freshness.as_deref() != Some("Stale"),
        resources: resources.map(|one| resource(group, &found.version, one)).collect(),
        version: found.version,
    }
}

fn resource(group: &str, version: &str, found: v2::APIResourceDiscovery) -> DiscoveredResource {
    let gvr = Gvr {
        group: group.to_owned().into(),
        version: version.to_owned().into(),
        resource: found.resource.into(),
    };
    let subresources = found.subresources.unwrap_or_default().into_iter();
    let subresources = subresources.map(|sub| Subresource {
        name: sub.subresource,
        kind: kind(group, version, sub.response_kind.unwrap_or_default()),
        verbs: sub.verbs,
    });
    let kind = found.response_kind.unwrap_or_default().kind;
    DiscoveredResource {
        subresources: subresources.collect(),
        resource: ApiResource::new(gvr, kind, found.scope == "Namespaced"),
        singular: found.singular_resource,
        short_names: found.short_names.unwrap_or_default(),
        categories: found.categories.unwrap_or_default(),
        verbs: found.verbs,
    }
}

/// Group and version are left out where they are those of the resource.
fn kind(group: &str, version: &str, kind: GroupVersionKind) -> Gvk {
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
