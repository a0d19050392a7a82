//! The single documents: `/api`, `/apis`, `/apis/<group>`, `/api/v1`, `/apis/<group>/<version>`.

use serde_json::{Value, json};

use super::{ApiResource, GroupDiscovery, VersionDiscovery};

/// `/api`. `address` is where clients of any network reach the server, as host and port.
pub(crate) fn api_versions(core: &GroupDiscovery, address: &str) -> Value {
    let versions: Vec<&str> = core.versions.iter().map(|v| v.version.as_str()).collect();
    json!({
        "kind": "APIVersions",
        "versions": versions,
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `/apis`.
pub(crate) fn group_list(groups: &[GroupDiscovery]) -> Value {
    let groups: Vec<Value> = groups.iter().map(group_fields).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/<group>`.
pub(crate) fn group(group: &GroupDiscovery) -> Value {
    let mut document = group_fields(group);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("kind".to_owned(), "APIGroup".into());
        fields.insert("apiVersion".to_owned(), "v1".into());
    }
    document
}

/// `/api/v1` and `/apis/<group>/<version>`.
pub(crate) fn resource_list(group: &str, version: &VersionDiscovery) -> Value {
    let resource = |resource: &ApiResource| match (resource.group.as_str(), resource.version.as_str()) {
        own if own == (group, version.version.as_str()) => ApiResource {
            group: String::new(),
            version: String::new(),
            ..resource.clone()
        },
        _ => resource.clone(),
    };
    let mut document = json!({
        "kind": "APIResourceList",
        "groupVersion": group_version(group, &version.version),
        "resources": version.resources.iter().map(resource).collect::<Vec<_>>(),
    });
    // The core group predates versioned discovery.
    if let (false, Some(fields)) = (group.is_empty(), document.as_object_mut()) {
        fields.insert("apiVersion".to_owned(), "v1".into());
    }
    document
}

fn group_fields(group: &GroupDiscovery) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|v| json!({"groupVersion": group_version(&group.name, &v.version), "version": v.version}))
        .collect();
    json!({"name": group.name, "preferredVersion": versions.first(), "versions": versions})
}

fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}
