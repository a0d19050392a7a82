//! Conditional defaults of the core group.

use serde_json::{Map, Value, json};

use super::conditional::{is_absent, object, set_absent, set_unset, text};

type Members = Map<String, Value>;

/// An image without tag or with `latest` is pulled always.
pub(super) fn image_pull_policy(policy: &str, image: &str, members: &mut Members) {
    let image = text(members, image);
    let name = image.rsplit('/').next().unwrap_or_default();
    let tagged = name.is_empty() || name.contains('@') || name.split_once(':').is_some_and(|(_, tag)| tag != "latest");
    let default = if tagged || !is_reference(image) {
        "IfNotPresent"
    } else {
        "Always"
    };
    set_unset(members, policy, default);
}

/// Whether an image's name is one; domains may have capital letters.
fn is_reference(image: &str) -> bool {
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let is_domain = first.contains(['.', ':']) || first == "localhost" || first != first.to_lowercase();
    let path = if first.is_empty() || is_domain { rest } else { image };
    let path = path.split(['@', ':']).next().unwrap_or_default();
    let is_part = |part: &str| {
        let separators = ['.', '_', '-'];
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || separators.contains(&c);
        !part.is_empty() && part.chars().all(known) && part.trim_matches(separators) == part
    };
    // With the name of the usual registry an image has at most 255 characters.
    path.len() < 238 && path.split('/').all(is_part)
}

/// A volume without a source is an empty directory.
pub(super) fn volume(members: &mut Members) {
    if members.iter().all(|(name, source)| name == "name" || source.is_null()) {
        members.insert("emptyDir".to_owned(), json!({}));
    }
}

/// Two names for one field: the first one counts where both are set.
pub(super) fn same(name: &str, deprecated: &str, members: &mut Members) {
    let value = [name, deprecated].map(|name| text(members, name).to_owned());
    if let Some(value) = value.into_iter().find(|value| !value.is_empty()) {
        members.insert(name.to_owned(), value.clone().into());
        members.insert(deprecated.to_owned(), value.into());
    }
}

/// A field, and a list whose first element says the same: each is made from the other. Elements are texts, or objects
/// with one member.
pub(super) fn first_of_list(single: &str, list: &str, member: &str, members: &mut Members) {
    let value = text(members, single).to_owned();
    let first = members.get(list).and_then(|list| list.get(0));
    let first = first.map(|first| {
        first
            .get(member)
            .unwrap_or(first)
            .as_str()
            .unwrap_or_default()
            .to_owned()
    });
    match first {
        None if !value.is_empty() => {
            let element = if member.is_empty() {
                json!(value)
            } else {
                json!({ member: value })
            };
            members.insert(list.to_owned(), json!([element]));
        }
        // The single value counts where they differ.
        Some(first) if !value.is_empty() && first != value => {
            let element = if member.is_empty() {
                json!(value)
            } else {
                json!({ member: value })
            };
            members.insert(list.to_owned(), json!([element]));
        }
        Some(first) if value.is_empty() && !first.is_empty() => {
            members.insert(single.to_owned(), first.into());
        }
        _ => {}
    }
}

/// Requests follow limits, and ports of the host follow those of the containers.
pub(super) fn pod(members: &mut Members) {
    let Some(spec) = object(members, "spec") else { return };
    set_absent(spec, "enableServiceLinks", true);
    let host_network = spec.get("hostNetwork").and_then(Value::as_bool) == Some(true);
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            if let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) {
                requests_from_limits(resources);
            }
            if host_network {
                let ports = container
                    .get_mut("ports")
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten();
                for port in ports.filter_map(Value::as_object_mut) {
                    let container_port = port.get("containerPort").cloned().unwrap_or_default();
                    set_unset(port, "hostPort", container_port);
                }
            }
        }
    }
    if let Some(resources) = spec.get_mut("resources").and_then(Value::as_object_mut) {
        requests_from_limits(resources);
    }
}

fn requests_from_limits(resources: &mut Members) {
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else {
        return;
    };
    if let Some(requests) = object(resources, "requests") {
        for (name, limit) in limits {
            requests.entry(name).or_insert(limit);
        }
    }
}

pub(super) fn service(members: &mut Members) {
    set_unset(members, "sessionAffinity", "None");
    if text(members, "sessionAffinity") == "ClientIP"
        && let Some(config) = object(members, "sessionAffinityConfig")
        && let Some(client_ip) = object(config, "clientIP")
    {
        set_absent(client_ip, "timeoutSeconds", 10800);
    }
    if text(members, "sessionAffinity") == "None" {
        members.remove("sessionAffinityConfig");
    }
    set_unset(members, "type", "ClusterIP");
    for port in members
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let Some(port) = port.as_object_mut() else { continue };
        let number = port.get("port").cloned().unwrap_or_default();
        set_unset(port, "targetPort", number);
    }
    let service_type = text(members, "type").to_owned();
    let external_ips = members
        .get("externalIPs")
        .and_then(Value::as_array)
        .is_some_and(|ips| !ips.is_empty());
    if matches!(&*service_type, "NodePort" | "LoadBalancer") || service_type == "ClusterIP" && external_ips {
        set_unset(members, "externalTrafficPolicy", "Cluster");
    }
    if matches!(&*service_type, "NodePort" | "LoadBalancer" | "ClusterIP") {
        set_absent(members, "internalTrafficPolicy", "Cluster");
    }
    if service_type == "LoadBalancer" {
        set_absent(members, "allocateLoadBalancerNodePorts", true);
    }
}

/// Every namespace is labelled with its name.
pub(super) fn namespace(members: &mut Members) {
    let Some(metadata) = object(members, "metadata") else {
        return;
    };
    let name = text(metadata, "name").to_owned();
    if !name.is_empty()
        && let Some(labels) = object(metadata, "labels")
    {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    }
}

/// A container's default limit is the maximum, its default request the default limit or the minimum.
pub(super) fn limit_range_item(members: &mut Members) {
    if text(members, "type") != "Container" {
        return;
    }
    for (target, source) in [
        ("default", "max"),
        ("defaultRequest", "default"),
        ("defaultRequest", "min"),
    ] {
        let Some(values) = members.get(source).and_then(Value::as_object).cloned() else {
            continue;
        };
        if values.is_empty() && is_absent(members, target) {
            continue;
        }
        if let Some(target) = object(members, target) {
            for (name, value) in values {
                target.entry(name).or_insert(value);
            }
        }
    }
}
