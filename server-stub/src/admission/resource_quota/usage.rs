//! What an object counts for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::registry::quantity::{is_binary, nanos};
use crate::registry::validation::values::{entries, get, items, number, text, texts};
use crate::status::GroupResource;

/// An amount, and whether it is written in powers of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) nanos: i128,
    pub(super) binary: bool,
}

/// Amounts by the names that quotas have for them.
pub(super) type Usage = BTreeMap<String, Amount>;

const ONE: Amount = Amount {
    nanos: 1_000_000_000,
    binary: false,
};
/// Kinds of the core group that are counted under their own name, too.
const COUNTED_BY_NAME: [&str; 7] = [
    "pods",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "resourcequotas",
];

/// What an object counts for.
pub(super) fn usage_of(resource: &GroupResource, object: &Value) -> Usage {
    let mut usage = Usage::from([(format!("count/{resource}"), ONE)]);
    if !resource.group.is_empty() {
        return usage;
    }
    if COUNTED_BY_NAME.contains(&&*resource.resource) {
        usage.insert(resource.resource.to_string(), ONE);
    }
    match &*resource.resource {
        "services" => of_service(object, &mut usage),
        "persistentvolumeclaims" => of_claim(object, &mut usage),
        "pods" => of_pod(object, &mut usage),
        _ => {}
    }
    usage
}

fn of_service(service: &Value, usage: &mut Usage) {
    let kind = text(service, "/spec/type");
    let has_node_ports = get(service, "/spec/allocateLoadBalancerNodePorts") != false;
    if kind == "NodePort" || kind == "LoadBalancer" && has_node_ports {
        let ports = items(service, "/spec/ports").len();
        let nanos = ONE.nanos * i128::try_from(ports).unwrap_or_default();
        usage.insert("services.nodeports".to_owned(), Amount { nanos, ..ONE });
    }
    if kind == "LoadBalancer" {
        usage.insert("services.loadbalancers".to_owned(), ONE);
    }
}

fn of_claim(claim: &Value, usage: &mut Usage) {
    let amount = amount(get(claim, "/spec/resources/requests/storage"));
    let class = text(claim, "/spec/storageClassName");
    if !class.is_empty() {
        let suffix = format!("{class}.storageclass.storage.k8s.io");
        usage.insert(format!("{suffix}/persistentvolumeclaims"), ONE);
        usage.insert(format!("{suffix}/requests.storage"), amount);
    }
    usage.insert("requests.storage".to_owned(), amount);
}

fn of_pod(pod: &Value, usage: &mut Usage) {
    for (side, prefix) in [("requests", "requests."), ("limits", "limits.")] {
        for (name, amount) in total(pod, side) {
            let plain =
                matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
            if side == "requests" && plain {
                usage.insert(name.clone(), amount);
            }
            if side == "requests" || matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
                usage.insert(format!("{prefix}{name}"), amount);
            }
        }
    }
}

/// What all containers need together; those that only start the pod need theirs one after the other.
fn total(pod: &Value, side: &str) -> Usage {
    let mut total = Usage::new();
    let of = |container: &Value| -> Vec<(String, Amount)> {
        let all = entries(container, &format!("/resources/{side}"));
        all.map(|(name, value)| (name.clone(), amount(value))).collect()
    };
    let add = |total: &mut Usage, name: String, amount: Amount| {
        let sum = total.entry(name).or_insert(Amount { nanos: 0, ..amount });
        sum.nanos += amount.nanos;
    };
    for container in items(pod, "/spec/containers") {
        for (name, amount) in of(container) {
            add(&mut total, name, amount);
        }
    }
    for container in items(pod, "/spec/initContainers") {
        for (name, amount) in of(container) {
            let most = total.entry(name).or_insert(amount);
            most.nanos = most.nanos.max(amount.nanos);
        }
    }
    for (name, value) in entries(pod, "/spec/overhead") {
        if total.contains_key(name) {
            add(&mut total, name.clone(), amount(value));
        }
    }
    total
}

fn amount(value: &Value) -> Amount {
    let text = value.as_str().unwrap_or_default();
    Amount {
        nanos: nanos(text).unwrap_or_default(),
        binary: is_binary(text),
    }
}

/// What of the resources that a quota limits a pod's containers do not say: `limits.memory for: app`.
pub(super) fn unspecified(resource: &GroupResource, pod: &Value, quota: &Value) -> Vec<String> {
    if !(resource.group.is_empty() && resource.resource == "pods") {
        return Vec::new();
    }
    let mut missing = Vec::new();
    for (name, _) in entries(quota, "/status/hard") {
        let (side, amount) = match name.as_str() {
            "cpu" | "memory" => ("requests", name.as_str()),
            name => match name.split_once('.') {
                Some((side @ ("requests" | "limits"), amount @ ("cpu" | "memory"))) => (side, amount),
                _ => continue,
            },
        };
        let containers = items(pod, "/spec/initContainers")
            .iter()
            .chain(items(pod, "/spec/containers"));
        let lacking = containers.filter(|container| get(container, &format!("/resources/{side}"))[amount].is_null());
        let mut lacking: Vec<&str> = lacking.map(|container| text(container, "/name")).collect();
        if !lacking.is_empty() {
            lacking.sort_unstable();
            missing.push(format!("{name} for: {}", lacking.join(",")));
        }
    }
    missing.sort();
    missing
}

/// Whether a quota's scopes are those of the object. Only pods have scopes.
pub(super) fn matches_scopes(quota: &Value, resource: &GroupResource, object: &Value) -> bool {
    let (scopes, selectors) = (
        texts(quota, "/spec/scopes"),
        items(quota, "/spec/scopeSelector/matchExpressions"),
    );
    if scopes.is_empty() && selectors.is_empty() {
        return true;
    }
    let is_pod = resource.group.is_empty() && resource.resource == "pods";
    is_pod
        && scopes.iter().all(|scope| has_scope(scope, object))
        && selectors.iter().all(|selector| selects(selector, object))
}

fn has_scope(scope: &str, pod: &Value) -> bool {
    let ends = number(pod, "/spec/activeDeadlineSeconds").is_some();
    let asks = items(pod, "/spec/initContainers")
        .iter()
        .chain(items(pod, "/spec/containers"))
        .any(|container| {
            ["requests", "limits"].into_iter().any(|side| {
                ["cpu", "memory"]
                    .into_iter()
                    .any(|name| !get(container, &format!("/resources/{side}"))[name].is_null())
            })
        });
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => !asks,
        "NotBestEffort" => asks,
        "PriorityClass" => !text(pod, "/spec/priorityClassName").is_empty(),
        _ => false,
    }
}

fn selects(selector: &Value, pod: &Value) -> bool {
    let scope = text(selector, "/scopeName");
    if scope != "PriorityClass" {
        return has_scope(scope, pod);
    }
    let class = text(pod, "/spec/priorityClassName");
    let named = texts(selector, "/values").contains(&class);
    match text(selector, "/operator") {
        "In" => named,
        "NotIn" => !named,
        "Exists" => !class.is_empty(),
        "DoesNotExist" => class.is_empty(),
        _ => false,
    }
}
