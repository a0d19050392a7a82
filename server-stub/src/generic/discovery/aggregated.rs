//! All groups with all resources in one document: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.

use serde_json::{Map, Value, json};

use super::{ApiResource, GroupDiscovery, VersionDiscovery};

/// The document for `/api` (the core group) or `/apis` (the others).
pub(crate) fn aggregated(groups: &[GroupDiscovery]) -> Value {
    let items: Vec<Value> = groups.iter().map(group).collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn group(group: &GroupDiscovery) -> Value {
    let metadata = if group.name.is_empty() {
        json!({})
    } else {
        json!({"name": group.name})
    };
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    json!({"metadata": metadata, "versions": versions})
}

fn version(version: &VersionDiscovery) -> Value {
    let (subresources, resources): (Vec<&ApiResource>, Vec<&ApiResource>) =
        version.resources.iter().partition(|r| r.name.contains('/'));
    let resources: Vec<Value> = resources
        .into_iter()
        .map(|r| {
            let subresources = subresources
                .iter()
                .filter_map(|s| {
                    s.name
                        .strip_prefix(&r.name)?
                        .strip_prefix('/')
                        .map(|name| subresource(name, s))
                })
                .collect();
            resource(r, subresources)
        })
        .collect();
    let freshness = if version.stale { "Stale" } else { "Current" };
    json!({"version": version.version, "resources": resources, "freshness": freshness})
}

fn resource(resource: &ApiResource, subresources: Vec<Value>) -> Value {
    let mut fields = Map::new();
    fields.insert("resource".into(), resource.name.clone().into());
    fields.insert("responseKind".into(), response_kind(resource));
    let scope = if resource.namespaced { "Namespaced" } else { "Cluster" };
    fields.insert("scope".into(), scope.into());
    fields.insert("singularResource".into(), resource.singular_name.clone().into());
    fields.insert("verbs".into(), resource.verbs.clone().into());
    let optional = [
        ("shortNames", Value::from(resource.short_names.clone())),
        ("categories", resource.categories.clone().into()),
        ("subresources", subresources.into()),
    ];
    let filled = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
    for (name, value) in optional.into_iter().filter(|(_, value)| filled(value)) {
        fields.insert(name.into(), value);
    }
    fields.into()
}

fn subresource(name: &str, resource: &ApiResource) -> Value {
    json!({"subresource": name, "responseKind": response_kind(resource), "verbs": resource.verbs})
}

/// Group and version stay empty where they are the resource's own.
fn response_kind(resource: &ApiResource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

#[cfg(test)]
mod tests {
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
        let document = aggregated(&groups);
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
