//! All groups with all resources in one document: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.

use k8s_openapi::List;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::types::apidiscovery::v2::{
    APIGroupDiscovery, APIResourceDiscovery, APISubresourceDiscovery, APIVersionDiscovery,
};
use kubewire_client::types::meta::v1::GroupVersionKind;
use serde_json::Value;

use super::{ApiResource, GroupDiscovery, VersionDiscovery};
use crate::status::ApiError;

/// The document for `/api` (the core group) or `/apis` (the others).
pub(crate) fn aggregated(groups: &[GroupDiscovery]) -> Result<Value, ApiError> {
    let list = List {
        items: groups.iter().map(group).collect(),
        ..Default::default()
    };
    let mut document = serde_json::to_value(list).map_err(ApiError::internal)?;
    // The list says what its items are; kube-apiserver does not say it again with each of them.
    for item in document["items"].as_array_mut().into_iter().flatten() {
        if let Some(item) = item.as_object_mut() {
            item.remove("apiVersion");
            item.remove("kind");
        }
    }
    Ok(document)
}

fn group(group: &GroupDiscovery) -> APIGroupDiscovery {
    APIGroupDiscovery {
        metadata: ObjectMeta {
            name: (!group.name.is_empty()).then(|| group.name.clone()),
            ..Default::default()
        },
        versions: Some(group.versions.iter().map(version).collect()),
    }
}

fn version(version: &VersionDiscovery) -> APIVersionDiscovery {
    let (subresources, resources): (Vec<&ApiResource>, Vec<&ApiResource>) =
        version.resources.iter().partition(|r| r.name.contains('/'));
    let below = |r: &ApiResource| {
        let mine = subresources
            .iter()
            .filter_map(|s| Some((s.name.strip_prefix(&r.name)?.strip_prefix('/')?, s)));
        mine.map(|(name, s)| subresource(name, s)).collect()
    };
    let freshness = if version.stale { "Stale" } else { "Current" };
    APIVersionDiscovery {
        version: version.version.clone(),
        resources: filled(resources.into_iter().map(|r| resource(r, below(r))).collect()),
        freshness: Some(freshness.to_owned()),
    }
}

fn resource(resource: &ApiResource, subresources: Vec<APISubresourceDiscovery>) -> APIResourceDiscovery {
    let scope = if resource.namespaced { "Namespaced" } else { "Cluster" };
    APIResourceDiscovery {
        resource: resource.name.clone(),
        response_kind: Some(response_kind(resource)),
        scope: scope.to_owned(),
        singular_resource: resource.singular_name.clone(),
        verbs: resource.verbs.clone(),
        short_names: filled(resource.short_names.clone()),
        categories: filled(resource.categories.clone()),
        subresources: filled(subresources),
    }
}

fn filled<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn subresource(name: &str, resource: &ApiResource) -> APISubresourceDiscovery {
    APISubresourceDiscovery {
        subresource: name.to_owned(),
        response_kind: Some(response_kind(resource)),
        verbs: resource.verbs.clone(),
        ..Default::default()
    }
}

/// Group and version are empty where they are those of a built-in resource itself; custom resources have them.
fn response_kind(resource: &ApiResource) -> GroupVersionKind {
    GroupVersionKind {
        group: resource.group.clone(),
        version: resource.version.clone(),
        kind: resource.kind.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subresources_stand_below_their_resource() {
        let resource = |name: &str, kind: &str| ApiResource {
            name: name.into(),
            kind: kind.into(),
            namespaced: true,
            verbs: vec!["get".into()],
            ..Default::default()
        };
        let scale = ApiResource {
            group: "autoscaling".into(),
            version: "v1".into(),
            ..resource("deployments/scale", "Scale")
        };
        let version = VersionDiscovery {
            version: "v1".into(),
            resources: vec![
                resource("deployments", "Deployment"),
                scale,
                resource("replicasets", "ReplicaSet"),
            ],
            stale: false,
        };
        let groups = [GroupDiscovery {
            name: "apps".into(),
            versions: vec![version],
        }];
        let document = aggregated(&groups).unwrap();
        assert_eq!(document["kind"], "APIGroupDiscoveryList");
        assert_eq!(document["items"][0]["metadata"], json!({"name": "apps"}));
        let resources = &document["items"][0]["versions"][0]["resources"];
        assert_eq!(
            resources[0]["subresources"],
            json!([{
                "subresource": "scale",
                "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
                "verbs": ["get"]
            }])
        );
        assert_eq!(
            resources[1]["responseKind"],
            json!({"group": "", "version": "", "kind": "ReplicaSet"})
        );
        assert_eq!(resources[1].get("subresources"), None);
    }
}
