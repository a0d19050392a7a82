//! The rules for ingresses, ingress classes and network policies.

use kubewire_client::validation::{
    dns1123_label, dns1123_subdomain, path_segment, port_name, wildcard_dns1123_subdomain,
};
use serde_json::{Value, json};

use super::service::port_errors;
use super::values::{broken, get, immutable, items, number, one_of, text, texts};
use super::{ip, selector};
use crate::registry::service_ranges::IpNetwork;
use crate::status::FieldError;

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const CONTROLLER_MAX: usize = 250;

/// The rules for an ingress.
pub(in crate::registry) fn ingress(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let rules = items(object, "/spec/rules");
    let default = get(object, "/spec/defaultBackend");
    if rules.is_empty() && default.is_null() {
        let shown = get(object, "/spec/rules").clone();
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid("spec", shown, detail));
    }
    if !default.is_null() {
        errors.extend(backend(default, "spec.defaultBackend"));
    }
    for (index, rule) in rules.iter().enumerate() {
        errors.extend(ingress_rule(rule, &format!("spec.rules[{index}]")));
    }
    for (index, tls) in items(object, "/spec/tls").iter().enumerate() {
        for (number, host) in texts(tls, "/hosts").into_iter().enumerate() {
            let field = format!("spec.tls[{index}].hosts[{number}]");
            errors.extend(broken(&field, host, host_rules(host)));
        }
        let secret = text(tls, "/secretName");
        if !secret.is_empty() {
            let field = format!("spec.tls[{index}].secretName");
            errors.extend(broken(&field, secret, dns1123_subdomain(secret)));
        }
    }
    if let Some(class) = get(object, "/spec/ingressClassName").as_str() {
        errors.extend(broken("spec.ingressClassName", class, dns1123_subdomain(class)));
        let annotation = get(object, "/metadata/annotations").get(CLASS_ANNOTATION);
        let is_new = get(object, "/metadata/resourceVersion").is_null();
        if let Some(annotation) = annotation
            .and_then(Value::as_str)
            .filter(|name| is_new && *name != class)
        {
            let detail = "must match `ingressClassName` when both are specified";
            let field = format!("annotations.{CLASS_ANNOTATION}");
            errors.push(FieldError::invalid(field, json!(annotation), detail));
        }
    }
    errors
}

/// The rules for an ingress's status.
pub(in crate::registry) fn ingress_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, entry) in items(new, "/status/loadBalancer/ingress").iter().enumerate() {
        let at = |field: &str| format!("status.loadBalancer.ingress[{index}].{field}");
        let (address, host) = (text(entry, "/ip"), text(entry, "/hostname"));
        if !address.is_empty() {
            errors.extend(ip::address(&at("ip"), address));
        }
        if !host.is_empty() {
            errors.extend(broken(&at("hostname"), host, dns1123_subdomain(host)));
            errors.extend(not_an_address(&at("hostname"), host));
        }
    }
    errors
}

/// The rules for an ingress class.
pub(in crate::registry) fn ingress_class(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let controller = text(object, "/spec/controller");
    if controller.len() > CONTROLLER_MAX {
        errors.push(FieldError::too_long("spec.controller", CONTROLLER_MAX));
    }
    errors.extend(domain_prefixed_path("spec.controller", controller));
    let parameters = get(object, "/spec/parameters");
    if parameters.is_null() {
        return errors;
    }
    errors.extend(typed_reference(parameters, "spec.parameters"));
    let namespace = get(parameters, "/namespace").as_str();
    let field = "spec.parameters.namespace";
    match (get(parameters, "/scope").as_str(), namespace) {
        (None, _) => errors.push(FieldError::required("spec.parameters.scope", "")),
        (Some("Namespace"), None) => {
            errors.push(FieldError::required(field, "`parameters.scope` is set to 'Namespace'"));
        }
        (Some("Namespace"), Some(namespace)) => errors.extend(broken(field, namespace, dns1123_label(namespace))),
        (Some("Cluster"), Some(_)) => {
            errors.push(FieldError::forbidden(field, "`parameters.scope` is set to 'Cluster'"));
        }
        (Some(scope), _) => errors.extend(one_of("spec.parameters.scope", scope, &["Cluster", "Namespace"])),
    }
    errors
}

/// The rules for a change of an ingress class.
pub(in crate::registry) fn ingress_class_update(new: &Value, old: &Value) -> Vec<FieldError> {
    immutable(new, old, "/spec/controller").into_iter().collect()
}

/// The rules for a network policy.
pub(in crate::registry) fn network_policy(object: &Value) -> Vec<FieldError> {
    let mut errors = selector::validate(get(object, "/spec/podSelector"), "spec.podSelector");
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in items(object, &format!("/spec/{direction}")).iter().enumerate() {
            let path = format!("spec.{direction}[{index}]");
            for (index, port) in items(rule, "/ports").iter().enumerate() {
                errors.extend(policy_port(port, &format!("{path}.ports[{index}]")));
            }
            for (index, peer) in items(rule, &format!("/{peers}")).iter().enumerate() {
                errors.extend(policy_peer(peer, &format!("{path}.{peers}[{index}]")));
            }
        }
    }
    let types = texts(object, "/spec/policyTypes");
    if types.len() > 2 {
        let detail = "may not specify more than two policyTypes";
        errors.push(FieldError::invalid("spec.policyTypes", json!(types), detail));
        return errors;
    }
    for (index, kind) in types.into_iter().enumerate() {
        errors.extend(one_of(
            &format!("spec.policyTypes[{index}]"),
            kind,
            &["Ingress", "Egress"],
        ));
    }
    errors
}

fn ingress_rule(rule: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let host = text(rule, "/host");
    if !host.is_empty() {
        let field = format!("{path}.host");
        errors.extend(not_an_address(&field, host));
        errors.extend(broken(&field, host, host_rules(host)));
    }
    let http = get(rule, "/http");
    if http.is_null() {
        return errors;
    }
    let paths = items(http, "/paths");
    if paths.is_empty() {
        errors.push(FieldError::required(format!("{path}.http.paths"), ""));
    }
    for (index, entry) in paths.iter().enumerate() {
        errors.extend(http_path(entry, &format!("{path}.http.paths[{index}]")));
    }
    errors
}

fn http_path(entry: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = format!("{path}.path");
    let own = text(entry, "/path");
    let wrong = |detail: String| FieldError::invalid(&*field, json!(own), detail);
    let Some(kind) = get(entry, "/pathType").as_str() else {
        return vec![FieldError::required(
            format!("{path}.pathType"),
            "pathType must be specified",
        )];
    };
    let kinds = ["Exact", "ImplementationSpecific", "Prefix"];
    errors.extend(one_of(&format!("{path}.pathType"), kind, &kinds));
    let exact = matches!(kind, "Exact" | "Prefix");
    if kinds.contains(&kind) && (exact || !own.is_empty()) && !own.starts_with('/') {
        errors.push(wrong("must be an absolute path".to_owned()));
    }
    if exact {
        let sequences = ["//", "/./", "/../", "%2f", "%2F"];
        let contained = sequences.iter().filter(|sequence| own.contains(**sequence));
        errors.extend(contained.map(|sequence| wrong(format!("must not contain '{sequence}'"))));
        let ends = ["/..", "/."].into_iter().filter(|end| own.ends_with(end));
        errors.extend(ends.map(|end| wrong(format!("cannot end with '{end}'"))));
    }
    errors.extend(backend(get(entry, "/backend"), &format!("{path}.backend")));
    errors
}

fn backend(backend: &Value, path: &str) -> Vec<FieldError> {
    let (resource, service) = (get(backend, "/resource"), get(backend, "/service"));
    let wrong = |detail| FieldError::invalid(path, json!(""), detail);
    match (resource.is_null(), service.is_null()) {
        (false, false) => return vec![wrong("cannot set both resource and service backends")],
        (true, true) => return vec![wrong("resource or service backend is required")],
        (false, true) => return typed_reference(resource, &format!("{path}.resource")),
        (true, false) => {}
    }
    let mut errors = Vec::new();
    let field = format!("{path}.service.name");
    match text(service, "/name") {
        "" => errors.push(FieldError::required(field, "")),
        name => errors.extend(broken(&field, name, dns1123_label(name))),
    }
    let (name, port) = (
        text(service, "/port/name"),
        number(service, "/port/number").unwrap_or_default(),
    );
    match (name, port) {
        ("", 0) => errors.push(FieldError::required(path, "port name or number is required")),
        ("", port) => errors.extend(port_errors(&format!("{path}.service.port.number"), port)),
        (name, 0) => errors.extend(broken(&format!("{path}.service.port.name"), name, port_name(name))),
        _ => errors.push(wrong("cannot set both port name & port number")),
    }
    errors
}

/// A reference to an object of any kind.
fn typed_reference(reference: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(group) = get(reference, "/apiGroup").as_str() {
        errors.extend(broken(&format!("{path}.apiGroup"), group, dns1123_subdomain(group)));
    }
    for field in ["kind", "name"] {
        let at = format!("{path}.{field}");
        match text(reference, &format!("/{field}")) {
            "" => errors.push(FieldError::required(at, "")),
            value => errors.extend(broken(&at, value, path_segment(value))),
        }
    }
    errors
}

fn policy_port(port: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    if let Some(protocol) = get(port, "/protocol").as_str() {
        errors.extend(one_of(&at("protocol"), protocol, &["TCP", "UDP", "SCTP"]));
    }
    let end = number(port, "/endPort");
    let wrong_end = |detail| end.map(|end| FieldError::invalid(at("endPort"), json!(end), detail));
    match get(port, "/port") {
        Value::Null => errors.extend(wrong_end("may not be specified when `port` is not specified")),
        Value::String(name) => {
            errors.extend(wrong_end("may not be specified when `port` is non-numeric"));
            errors.extend(broken(&at("port"), name, port_name(name)));
        }
        first => {
            let first = first.as_i64().unwrap_or_default();
            errors.extend(port_errors(&at("port"), first));
            if end.is_some_and(|end| end < first) {
                errors.extend(wrong_end("must be greater than or equal to `port`"));
            }
            errors.extend(end.into_iter().flat_map(|end| port_errors(&at("endPort"), end)));
        }
    }
    errors
}

fn policy_peer(peer: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let has = |field: &str| !get(peer, &format!("/{field}")).is_null();
    for field in ["podSelector", "namespaceSelector"] {
        errors.extend(selector::validate(
            get(peer, &format!("/{field}")),
            &format!("{path}.{field}"),
        ));
    }
    if has("ipBlock") {
        errors.extend(ip_block(get(peer, "/ipBlock"), &format!("{path}.ipBlock")));
    }
    match (has("podSelector") || has("namespaceSelector"), has("ipBlock")) {
        (false, false) => errors.push(FieldError::required(path, "must specify a peer")),
        (true, true) => {
            let detail = "may not specify both ipBlock and another peer";
            errors.push(FieldError::forbidden(path, detail));
        }
        _ => {}
    }
    errors
}

fn ip_block(block: &Value, path: &str) -> Vec<FieldError> {
    let cidr = text(block, "/cidr");
    if cidr.is_empty() {
        return vec![FieldError::required(format!("{path}.cidr"), "")];
    }
    let mut errors = ip::cidr(&format!("{path}.cidr"), cidr);
    for (index, except) in texts(block, "/except").into_iter().enumerate() {
        let field = format!("{path}.except[{index}]");
        let wrong = ip::cidr(&field, except);
        if wrong.is_empty() && errors.is_empty() && !is_within(except, cidr) {
            let detail = "must be a strict subset of `cidr`";
            errors.push(FieldError::invalid(field, json!(except), detail));
        }
        errors.extend(wrong);
    }
    errors
}

/// Whether a network is a part of another one.
fn is_within(part: &str, whole: &str) -> bool {
    let bits = |text: &str| text.split_once('/').and_then(|(_, bits)| bits.parse::<u32>().ok());
    let address = part.split_once('/').and_then(|(address, _)| address.parse().ok());
    let (Some(address), Some(part), Some(all)) = (address, bits(part), bits(whole)) else {
        return false;
    };
    // Everything is within the network of all addresses, which is none for services.
    part > all && (all == 0 || IpNetwork::parse(whole).is_none_or(|whole| whole.contains(&address)))
}

fn host_rules(host: &str) -> Vec<String> {
    match host.contains('*') {
        true => wildcard_dns1123_subdomain(host),
        false => dns1123_subdomain(host),
    }
}

fn not_an_address(field: &str, host: &str) -> Option<FieldError> {
    let detail = "must be a DNS name, not an IP address";
    ip::family(host).map(|_| FieldError::invalid(field, json!(host), detail))
}

/// A name such as `example.com/controller`.
pub(super) fn domain_prefixed_path(field: &str, value: &str) -> Vec<FieldError> {
    match value.split_once('/') {
        None if value.is_empty() => vec![FieldError::required(field, "")],
        Some((domain, path)) if !domain.is_empty() && !path.is_empty() => {
            broken(field, domain, dns1123_subdomain(domain))
        }
        _ => {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            vec![FieldError::invalid(field, json!(value), detail)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn ingresses() {
        let rule = |host: &str, path: &str, backend: Value| {
            let paths = json!([{ "path": path, "pathType": "Prefix", "backend": backend }]);
            told(ingress(
                &json!({ "spec": { "rules": [{ "host": host, "http": { "paths": paths } }] } }),
            ))
        };
        let service = json!({ "service": { "name": "s", "port": { "number": 80 } } });
        assert_eq!(rule("*.example.com", "/a", service.clone()), Vec::<String>::new());
        assert_eq!(
            rule("10.0.0.1", "/a//b", service),
            [
                "spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address",
                "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'",
            ]
        );
        assert_eq!(
            rule("", "/", json!({ "service": { "name": "s" } })),
            ["spec.rules[0].http.paths[0].backend: Required value: port name or number is required"]
        );
        assert_eq!(
            told(ingress(&json!({ "spec": {} }))),
            ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]
        );
    }

    #[test]
    fn network_policies() {
        let policy = |peer: Value, port: Value| {
            let rule = json!([{ "from": [peer], "ports": [port] }]);
            told(network_policy(
                &json!({ "spec": { "podSelector": {}, "ingress": rule } }),
            ))
        };
        let block = |except: &str| json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": [except] } });
        assert_eq!(
            policy(block("10.1.0.0/16"), json!({ "port": 80 })),
            Vec::<String>::new()
        );
        assert_eq!(
            policy(block("11.0.0.0/16"), json!({ "port": 80, "endPort": 79 })),
            [
                "spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`",
                "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of \
                 `cidr`",
            ]
        );
        assert_eq!(
            policy(json!({}), json!({})),
            ["spec.ingress[0].from[0]: Required value: must specify a peer"]
        );
    }

    #[test]
    fn classes() {
        let class = json!({ "spec": { "controller": "example.com/c", "parameters": {
            "kind": "K", "name": "n", "scope": "Cluster", "namespace": "ns" } } });
        assert_eq!(
            told(ingress_class(&class)),
            ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"]
        );
    }
}
