//! The rules for pods and pod templates.

mod container;
mod environment;
mod mounts;
mod probe;
pub(super) mod references;
pub(super) mod resources;
pub(super) mod scheduling;
mod security;
mod system;
mod update;
mod volume;
mod warnings;

use std::collections::HashSet;

use kubewire_client::validation::{dns1123_label, dns1123_subdomain, qualified_name};
use serde_json::{Value, json};

use self::container::PodFacts;
use super::values::{TextRule, broken, flag, get, items, number, one_of, text};
use super::{ip, metadata};
use crate::status::FieldError;

pub(in crate::registry) use security::privileged;
pub(in crate::registry) use update::{
    validate_ephemeral_containers, validate_resize, validate_status, validate_update,
};
pub(in crate::registry) use warnings::{template_warnings, unusual_name, warnings};

const SEARCH: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or \
                      '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
                      validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const RESTART_POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];
const DNS_POLICIES: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

/// The rules for a pod.
pub(in crate::registry) fn validate(pod: &Value) -> Vec<FieldError> {
    let spec = get(pod, "/spec");
    let mut errors = validate_spec(spec, "spec", Some(pod));
    // They come by a subresource of their own; see `validate_update` for that.
    let is_new = get(pod, "/metadata/resourceVersion").is_null();
    if is_new && !items(spec, "/ephemeralContainers").is_empty() && get(pod, "/status/startTime").is_null() {
        errors.push(FieldError::forbidden(
            "spec.ephemeralContainers",
            "cannot be set on create",
        ));
    }
    if is_new && !items(spec, "/schedulingGates").is_empty() && !text(spec, "/nodeName").is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden("spec.nodeName", detail));
    }
    errors
}

/// The rules for a pod template at a path.
pub(super) fn validate_template(template: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = metadata::labels(template.pointer("/metadata/labels"), &format!("{path}.labels"));
    let annotations = template.pointer("/metadata/annotations");
    errors.extend(metadata::annotations(annotations, &format!("{path}.annotations")));
    errors.extend(validate_spec(get(template, "/spec"), &format!("{path}.spec"), None));
    if !items(template, "/spec/ephemeralContainers").is_empty() {
        let field = format!("{path}.spec.ephemeralContainers");
        errors.push(FieldError::forbidden(
            field,
            "ephemeral containers not allowed in pod template",
        ));
    }
    errors
}

/// The rules for a pod's spec at a path; templates have no pod.
fn validate_spec(spec: &Value, path: &str, pod: Option<&Value>) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let (volumes, mut errors) = volume::validate(spec, &at("volumes"), pod);
    let facts = PodFacts {
        volumes,
        claims: items(spec, "/resourceClaims")
            .iter()
            .map(|claim| text(claim, "/name"))
            .collect(),
        host_network: flag(spec, "/hostNetwork"),
        host_users: security::host_users(spec),
        restart_policy: text(spec, "/restartPolicy"),
        grace_period: security::grace_period(spec),
        is_pod: pod.is_some(),
    };
    errors.extend(resource_claims(items(spec, "/resourceClaims"), &at("resourceClaims")));
    errors.extend(container::validate_all(spec, &facts, path));
    let resources = get(spec, "/resources");
    if resources.is_object() && text(spec, "/os/name") != "windows" {
        errors.extend(resources::of_pod(resources, &facts.claims, &at("resources")));
    }
    errors.extend(one_of(
        &at("restartPolicy"),
        text(spec, "/restartPolicy"),
        &RESTART_POLICIES,
    ));
    errors.extend(one_of(&at("dnsPolicy"), text(spec, "/dnsPolicy"), &DNS_POLICIES));
    errors.extend(metadata::labels(spec.get("nodeSelector"), &at("nodeSelector")));
    errors.extend(security::of_pod(spec, path));
    errors.extend(scheduling::affinity(get(spec, "/affinity"), &at("affinity")));
    errors.extend(dns_config(spec, path));
    for (index, gate) in items(spec, "/readinessGates").iter().enumerate() {
        let kind = text(gate, "/conditionType");
        let field = at(&format!("readinessGates[{index}].conditionType"));
        errors.extend(broken(&field, kind, qualified_name(kind)));
    }
    errors.extend(scheduling_gates(
        items(spec, "/schedulingGates"),
        &at("schedulingGates"),
    ));
    errors.extend(scheduling::topology_spread(spec, &at("topologySpreadConstraints")));
    errors.extend(names(spec, path));
    if let Some(seconds) = number(spec, "/activeDeadlineSeconds")
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = format!("must be between 1 and {}, inclusive", i32::MAX);
        errors.push(FieldError::invalid(at("activeDeadlineSeconds"), json!(seconds), detail));
    }
    errors.extend(scheduling::tolerations(items(spec, "/tolerations"), &at("tolerations")));
    errors.extend(host_aliases(spec, &at("hostAliases")));
    let overhead = get(spec, "/overhead");
    if overhead.is_object() {
        errors.extend(resources::overhead(overhead, &at("overhead")));
    }
    if let Some(policy) = get(spec, "/preemptionPolicy").as_str() {
        let policies = ["PreemptLowerPriority", "Never"];
        errors.extend(one_of(&at("preemptionPolicy"), policy, &policies));
    }
    errors.extend(system::validate(spec, path));
    if pod.is_some() && text(spec, "/serviceAccountName").is_empty() {
        errors.extend(tokens_of_nobody(spec, path));
    }
    errors
}

/// Tokens are those of a service account.
fn tokens_of_nobody(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, volume) in items(spec, "/volumes").iter().enumerate() {
        for (number, source) in items(volume, "/projected/sources").iter().enumerate() {
            if !get(source, "/serviceAccountToken").is_null() {
                let field = format!("{path}.volumes[{index}].projected.sources[{number}].serviceAccountToken");
                let detail = "must not be specified when serviceAccountName is not set";
                errors.push(FieldError::forbidden(field, detail));
            }
        }
    }
    errors
}

/// The names of hosts and of other objects.
fn names(spec: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    let rules: [(&str, TextRule); 7] = [
        ("serviceAccountName", dns1123_subdomain),
        ("nodeName", dns1123_subdomain),
        ("priorityClassName", dns1123_subdomain),
        ("runtimeClassName", dns1123_subdomain),
        ("hostname", dns1123_label),
        ("subdomain", dns1123_label),
        ("hostnameOverride", dns1123_subdomain),
    ];
    for (field, rule) in rules {
        let name = text(spec, &format!("/{field}"));
        if !name.is_empty() {
            errors.extend(broken(&at(field), name, rule(name)));
        }
    }
    if !get(spec, "/hostnameOverride").is_null() {
        for field in ["setHostnameAsFQDN", "hostNetwork"] {
            if flag(spec, &format!("/{field}")) {
                let detail = format!("may not be specified when {field} is true");
                errors.push(FieldError::forbidden(at("hostnameOverride"), detail));
            }
        }
    }
    errors
}

fn scheduling_gates(gates: &[Value], path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = HashSet::new();
    for (index, gate) in gates.iter().enumerate() {
        let (name, field) = (text(gate, "/name"), format!("{path}[{index}]"));
        errors.extend(broken(&field, name, qualified_name(name)));
        if !names.insert(name) {
            errors.push(FieldError::duplicate(field, json!(name)));
        }
    }
    errors
}

fn resource_claims(claims: &[Value], path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = HashSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        match text(claim, "/name") {
            "" => errors.push(FieldError::required(at("name"), "")),
            name if !names.insert(name) => errors.push(FieldError::duplicate(at("name"), json!(name))),
            name => errors.extend(broken(&at("name"), name, dns1123_label(name))),
        }
        let sources = ["resourceClaimName", "resourceClaimTemplateName"];
        let present = sources.map(|source| get(claim, &format!("/{source}")).as_str());
        for (source, name) in sources.iter().zip(present) {
            let Some(name) = name else { continue };
            errors.extend(broken(&at(source), name, dns1123_subdomain(name)));
        }
        let detail = match present {
            [Some(_), Some(_)] => "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            [None, None] => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            _ => continue,
        };
        let shown = format!(
            r#"{{"Name":{},"ResourceClaimName":{},"ResourceClaimTemplateName":{}}}"#,
            json!(text(claim, "/name")),
            json!(present[0]),
            json!(present[1])
        );
        let error = FieldError::invalid(format!("{path}[{index}]"), Value::Null, detail);
        errors.push(error.shown_as(shown));
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
    for (index, search) in items(spec, "/dnsConfig/searches").iter().enumerate() {
        let search = search.as_str().unwrap_or_default();
        // A dot at the end and underscores are fine.
        let name = search.strip_suffix('.').unwrap_or(search).replace('_', "-");
        if search != "." {
            let field = format!("{path}.dnsConfig.searches[{index}]");
            let wrong = dns1123_subdomain(&name).into_iter();
            let wrong = wrong.map(|rule| {
                if rule.starts_with("must be") {
                    rule
                } else {
                    SEARCH.to_owned()
                }
            });
            errors.extend(broken(&field, search, wrong.collect()));
        }
    }
    for (index, option) in items(spec, "/dnsConfig/options").iter().enumerate() {
        if text(option, "/name").is_empty() {
            let field = format!("{path}.dnsConfig.options[{index}]");
            errors.push(FieldError::required(field, "must not be empty"));
        }
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
        let has = |side: &str| {
            ["cpu", "memory"]
                .iter()
                .any(|name| value(container, side, name).is_some())
        };
        has("requests") || has("limits")
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
