//! The rules for pods and pod templates.

mod container;
mod probe;
mod scheduling;
mod update;
mod volume;
mod warnings;

use kubewire_client::validation::{dns1123_label, dns1123_subdomain};
use serde_json::{Value, json};

use self::container::Place;
use super::values::{broken, entries, get, items, number, one_of, text};
use super::{ip, metadata};
use crate::status::FieldError;

pub(in crate::registry) use update::{
    validate_ephemeral_containers, validate_resize, validate_status, validate_update,
};
pub(in crate::registry) use warnings::{template_warnings, unusual_name, warnings};

const RESTART_POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];
const DNS_POLICIES: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

/// The rules for a pod.
pub(in crate::registry) fn validate(pod: &Value) -> Vec<FieldError> {
    let mut errors = validate_spec(get(pod, "/spec"), "spec");
    if !items(pod, "/spec/ephemeralContainers").is_empty() && get(pod, "/status/startTime").is_null() {
        // They come by a subresource of their own; see `validate_update` for that.
        let is_new = get(pod, "/metadata/resourceVersion").is_null();
        if is_new {
            errors.push(FieldError::forbidden(
                "spec.ephemeralContainers",
                "cannot be set on create",
            ));
        }
    }
    errors
}

/// The rules for a pod template at a path.
pub(super) fn validate_template(template: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = metadata::labels(template.pointer("/metadata/labels"), &format!("{path}.labels"));
    let annotations = template.pointer("/metadata/annotations");
    errors.extend(metadata::annotations(annotations, &format!("{path}.annotations")));
    errors.extend(validate_spec(get(template, "/spec"), &format!("{path}.spec")));
    if !items(template, "/spec/ephemeralContainers").is_empty() {
        let field = format!("{path}.spec.ephemeralContainers");
        errors.push(FieldError::forbidden(
            field,
            "ephemeral containers not allowed in pod template",
        ));
    }
    errors
}

/// The rules for a pod's spec at a path.
fn validate_spec(spec: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = volume::validate(items(spec, "/volumes"), &at("volumes"));
    let place = Place {
        volumes: volume::names(spec),
        host_network: get(spec, "/hostNetwork").as_bool() == Some(true),
    };
    errors.extend(container::validate_all(spec, &place, path));
    errors.extend(one_of(
        &at("restartPolicy"),
        text(spec, "/restartPolicy"),
        &RESTART_POLICIES,
    ));
    errors.extend(one_of(&at("dnsPolicy"), text(spec, "/dnsPolicy"), &DNS_POLICIES));
    errors.extend(metadata::labels(spec.get("nodeSelector"), &at("nodeSelector")));
    for (index, secret) in items(spec, "/imagePullSecrets").iter().enumerate() {
        if text(secret, "/name").is_empty() {
            errors.push(FieldError::required(at(&format!("imagePullSecrets[{index}].name")), ""));
        }
    }
    errors.extend(scheduling::affinity(get(spec, "/affinity"), &at("affinity")));
    errors.extend(dns_config(spec, path));
    for (index, gate) in items(spec, "/readinessGates").iter().enumerate() {
        let kind = text(gate, "/conditionType");
        let field = at(&format!("readinessGates[{index}].conditionType"));
        errors.extend(broken(&field, kind, kubewire_client::validation::qualified_name(kind)));
    }
    errors.extend(scheduling::topology_spread(spec, &at("topologySpreadConstraints")));
    for field in [
        "serviceAccountName",
        "nodeName",
        "priorityClassName",
        "runtimeClassName",
    ] {
        let name = text(spec, &format!("/{field}"));
        if !name.is_empty() {
            errors.extend(broken(&at(field), name, dns1123_subdomain(name)));
        }
    }
    if let Some(seconds) = number(spec, "/activeDeadlineSeconds")
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = format!("must be between 1 and {}, inclusive", i32::MAX);
        errors.push(FieldError::invalid(at("activeDeadlineSeconds"), json!(seconds), detail));
    }
    for field in ["hostname", "subdomain"] {
        let name = text(spec, &format!("/{field}"));
        if !name.is_empty() {
            errors.extend(broken(&at(field), name, dns1123_label(name)));
        }
    }
    errors.extend(scheduling::tolerations(items(spec, "/tolerations"), &at("tolerations")));
    errors.extend(host_aliases(spec, &at("hostAliases")));
    let preemption = text(spec, "/preemptionPolicy");
    if !preemption.is_empty() {
        let supported = ["PreemptLowerPriority", "Never"];
        errors.extend(one_of(&at("preemptionPolicy"), preemption, &supported));
    }
    errors
}

fn dns_config(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let servers = items(spec, "/dnsConfig/nameservers");
    if text(spec, "/dnsPolicy") == "None" {
        if get(spec, "/dnsConfig").is_null() {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            errors.push(FieldError::required(format!("{path}.dnsConfig"), detail));
        } else if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.push(FieldError::required(format!("{path}.dnsConfig.nameservers"), detail));
        }
    }
    if servers.len() > 3 {
        let detail = format!("must not have more than {} nameservers", 3);
        let field = format!("{path}.dnsConfig.nameservers");
        errors.push(FieldError::invalid(field, json!(servers), detail));
    }
    for (index, server) in servers.iter().enumerate() {
        errors.extend(ip::address(
            &format!("{path}.dnsConfig.nameservers[{index}]"),
            server.as_str().unwrap_or_default(),
        ));
    }
    errors
}

fn host_aliases(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, alias) in items(spec, "/hostAliases").iter().enumerate() {
        errors.extend(ip::address(&format!("{path}[{index}].ip"), text(alias, "/ip")));
        for (number, host) in items(alias, "/hostnames").iter().enumerate() {
            let host = host.as_str().unwrap_or_default();
            let field = format!("{path}[{index}].hostnames[{number}]");
            errors.extend(broken(&field, host, dns1123_subdomain(host)));
        }
    }
    errors
}

/// Whether the resources of all containers are there and equal (`Guaranteed`), or there are none (`BestEffort`).
pub(in crate::registry) fn qos_class(pod: &Value) -> &'static str {
    let containers = || {
        items(pod, "/spec/initContainers")
            .iter()
            .chain(items(pod, "/spec/containers"))
    };
    let value = |container: &Value, side: &str, name: &str| {
        let quantity = get(container, &format!("/resources/{side}/{name}")).as_str()?;
        crate::registry::quantity::nanos(quantity).filter(|nanos| *nanos > 0)
    };
    let any = containers().any(|container| {
        ["requests", "limits"].iter().any(|side| {
            entries(container, &format!("/resources/{side}")).any(|(name, _)| name == "cpu" || name == "memory")
        })
    });
    let guaranteed = containers().all(|container| {
        ["cpu", "memory"].iter().all(|name| {
            let limit = value(container, "limits", name);
            let request = value(container, "requests", name).or(limit);
            limit.is_some() && request == limit
        })
    });
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
