//! Services: addresses and node ports are theirs alone.

mod addresses;
mod allocator;
mod families;
mod node_ports;
mod repair;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::rules::{Rules, not_supported};
use crate::registry::strategy::Update;
use crate::registry::validation::metadata::label_name;
use crate::registry::validation::service;
use crate::registry::validation::values::{flag, get, items, number, put, remove, text, texts};

pub(super) use self::allocator::ServiceAllocator;
pub(crate) use self::repair::{Finding, ServiceRepair};

pub(super) const SERVICE: Rules = Rules {
    unknown_field: not_supported,
    default: |service| {
        let balanced = text(service, "/spec/type") == "LoadBalancer";
        for index in 0..items(service, "/status/loadBalancer/ingress").len() {
            let entry = service.pointer_mut(&format!("/status/loadBalancer/ingress/{index}"));
            let Some(entry) = entry.filter(|_| balanced) else {
                continue;
            };
            if !text(entry, "/ip").is_empty() && get(entry, "/ipMode").is_null() {
                put(entry, &["ipMode"], json!("VIP"));
            }
        }
    },
    create: |service, _| {
        put(service, &["status"], json!({ "loadBalancer": {} }));
        if !has_address(service) && ["Cluster", "Local"].contains(&text(service, "/spec/internalTrafficPolicy")) {
            remove(service, "/spec", "internalTrafficPolicy");
        }
    },
    update: |change| {
        if change.subresource.is_none() {
            drop_what_other_types_have(change);
        }
    },
    validate: service::service,
    validate_update: service::service_update,
    validate_status: service::service_status,
    warnings: service::warnings,
    name: label_name,
    create_on_update: true,
    returns_deleted_object: true,
    ..Rules::PLAIN
};

/// A service that changes its type loses what only the old type has, unless the client changed that, too.
fn drop_what_other_types_have(change: &mut Update<'_>) {
    let (new, old) = (&mut *change.new, change.old);
    let same = |new: &Value, pointer: &str| get(new, pointer) == get(old, pointer);
    if has_address(old) && !has_address(new) {
        if same(new, "/spec/clusterIP") && same(new, "/spec/clusterIPs") {
            remove(new, "/spec", "clusterIP");
            remove(new, "/spec", "clusterIPs");
        }
        for field in ["ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            if same(new, &format!("/spec/{field}")) {
                remove(new, "/spec", field);
            }
        }
    }
    if has_node_ports(old) && !has_node_ports(new) {
        let ports = named_node_ports(old);
        if named_node_ports(new).iter().all(|port| ports.contains(port)) {
            for index in 0..items(new, "/spec/ports").len() {
                remove(new, &format!("/spec/ports/{index}"), "nodePort");
            }
        }
    }
    if has_health_check(old) && !has_health_check(new) && same(new, "/spec/healthCheckNodePort") {
        remove(new, "/spec", "healthCheckNodePort");
    }
    let is_balanced = |service: &Value| text(service, "/spec/type") == "LoadBalancer";
    if is_balanced(old) && !is_balanced(new) {
        for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            if same(new, &format!("/spec/{field}")) {
                remove(new, "/spec", field);
            }
        }
    }
    let policy = "/spec/externalTrafficPolicy";
    if service::is_external(old) && !service::is_external(new) && same(new, policy) {
        remove(new, "/spec", "externalTrafficPolicy");
    }
    if !is_balanced(new) {
        put(new, &["status", "loadBalancer"], json!({}));
    }
}

fn has_address(service: &Value) -> bool {
    text(service, "/spec/type") != "ExternalName"
}

fn has_node_ports(service: &Value) -> bool {
    matches!(text(service, "/spec/type"), "NodePort" | "LoadBalancer")
}

/// Whether each port gets a port on the nodes, even if it names none.
fn needs_node_ports(service: &Value) -> bool {
    match text(service, "/spec/type") {
        "NodePort" => true,
        "LoadBalancer" => {
            let allocate = "/spec/allocateLoadBalancerNodePorts";
            get(service, allocate).is_null() || flag(service, allocate)
        }
        _ => false,
    }
}

fn has_health_check(service: &Value) -> bool {
    text(service, "/spec/type") == "LoadBalancer" && text(service, "/spec/externalTrafficPolicy") == "Local"
}

/// The ports on nodes that the service names.
fn named_node_ports(service: &Value) -> Vec<i64> {
    let ports = items(service, "/spec/ports").iter();
    ports
        .filter_map(|port| number(port, "/nodePort"))
        .filter(|port| *port != 0)
        .collect()
}

fn is_headless(service: &Value) -> bool {
    texts(service, "/spec/clusterIPs").first() == Some(&"None")
}
