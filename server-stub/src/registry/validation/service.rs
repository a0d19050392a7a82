//! The rules for services.

use kubewire_client::validation::{dns1123_label, dns1123_subdomain, port_name, port_number, qualified_name};
use serde_json::{Value, json};

use super::values::{broken, entries, get, immutable, items, number, one_of, text, texts};
use super::{ip, metadata};
use crate::status::FieldError;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const DAY: i64 = 86_400;

/// The rules for a service.
pub(in crate::registry) fn service(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let ports = items(object, "/spec/ports");
    let kind = text(object, "/spec/type");
    if ports.is_empty() && !is_headless(object) && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    errors.extend(type_rules(object, kind));
    for (index, port) in ports.iter().enumerate() {
        errors.extend(service_port(port, ports, index));
    }
    errors.extend(metadata::labels(object.pointer("/spec/selector"), "spec.selector"));
    errors.extend(session_affinity(object));
    errors.extend(related_fields(object, None));
    for (index, address) in texts(object, "/spec/externalIPs").into_iter().enumerate() {
        let field = format!("spec.externalIPs[{index}]");
        let wrong = ip::address(&field, address);
        errors.extend(if wrong.is_empty() {
            ip::endpoint_address(&field, address)
        } else {
            wrong
        });
    }
    errors.extend(one_of("spec.type", kind, &TYPES));
    errors.extend(repeated_ports(ports, kind));
    errors.extend(source_ranges(object, kind));
    let class = get(object, "/spec/loadBalancerClass").as_str();
    let allocate = get(object, "/spec/allocateLoadBalancerNodePorts").as_bool();
    if kind != "LoadBalancer" {
        let detail = "may only be used when `type` is 'LoadBalancer'";
        let only = |field: &str| FieldError::forbidden(format!("spec.{field}"), detail);
        errors.extend(allocate.map(|_| only("allocateLoadBalancerNodePorts")));
        errors.extend(class.map(|_| only("loadBalancerClass")));
    } else if let Some(class) = class {
        errors.extend(broken("spec.loadBalancerClass", class, qualified_name(class)));
    }
    errors.extend(traffic_policies(object, kind));
    errors
}

/// The rules for a change of a service.
pub(in crate::registry) fn service_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if text(new, "/spec/type") != "ExternalName" && text(old, "/spec/type") != "ExternalName" {
        errors.extend(addresses_update(new, old));
        errors.extend(families_update(new, old));
    }
    let balanced = |object| text(object, "/spec/type") == "LoadBalancer";
    if balanced(new) && balanced(old) {
        let class = immutable(new, old, "/spec/loadBalancerClass").map(|mut error| {
            error.detail = "may not change once set".to_owned();
            error
        });
        errors.extend(class);
    }
    let port = "/spec/healthCheckNodePort";
    if has_health_check(new) && has_health_check(old) && get(new, port) != get(old, port) {
        errors.push(FieldError::forbidden("spec.healthCheckNodePort", "field is immutable"));
    }
    errors
}

/// The rules for a service's status.
pub(in crate::registry) fn service_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let entries = items(new, "/status/loadBalancer/ingress");
    let path = "status.loadBalancer.ingress";
    if text(new, "/spec/type") != "LoadBalancer" && !entries.is_empty() {
        let detail = "may only be used when `spec.type` is 'LoadBalancer'";
        return vec![FieldError::forbidden(path, detail)];
    }
    let mut errors = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let address = text(entry, "/ip");
        if !address.is_empty() {
            errors.extend(ip::address(&at("ip"), address));
        }
        match get(entry, "/ipMode").as_str() {
            None if !address.is_empty() => {
                errors.push(FieldError::required(at("ipMode"), "must be specified when `ip` is set"));
            }
            None => {}
            Some(_) if address.is_empty() => {
                let detail = "may not be specified when `ip` is not set";
                errors.push(FieldError::forbidden(at("ipMode"), detail));
            }
            Some(mode) => errors.extend(one_of(&at("ipMode"), mode, &["Proxy", "VIP"])),
        }
        let host = text(entry, "/hostname");
        if !host.is_empty() {
            errors.extend(broken(&at("hostname"), host, dns1123_subdomain(host)));
            if ip::family(host).is_some() {
                let detail = "must be a DNS name, not an IP address";
                errors.push(FieldError::invalid(at("hostname"), json!(host), detail));
            }
        }
    }
    errors
}

/// Whether the service can be reached from outside of the cluster.
pub(in crate::registry) fn is_external(service: &Value) -> bool {
    match text(service, "/spec/type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !items(service, "/spec/externalIPs").is_empty(),
        _ => false,
    }
}

/// The rules for addresses and their families, which are checked before addresses are given.
pub(in crate::registry) fn related_fields(service: &Value, old: Option<&Value>) -> Vec<FieldError> {
    const FIELD: &str = "spec.clusterIPs";
    if text(service, "/spec/type") == "ExternalName" {
        return Vec::new();
    }
    let all = get(service, "/spec/clusterIPs");
    let wrong = |detail: &str| FieldError::invalid(FIELD, all.clone(), detail);
    let addresses = texts(service, "/spec/clusterIPs");
    let mut errors = Vec::new();
    match (text(service, "/spec/clusterIP"), addresses.first()) {
        ("", Some(_)) => errors.push(wrong("must be empty when `clusterIP` is not specified")),
        ("", None) => {}
        (_, None) => errors.push(FieldError::required(FIELD, "")),
        (address, Some(first)) if address != *first => errors.push(wrong("first value must match `clusterIP`")),
        _ => {}
    }
    let families = texts(service, "/spec/ipFamilies");
    for (index, family) in families.iter().enumerate() {
        let field = format!("spec.ipFamilies[{index}]");
        errors.extend(one_of(&field, family, &["IPv4", "IPv6"]));
        if families.iter().take(index).any(|earlier| earlier == family) {
            errors.push(FieldError::duplicate(field, json!(family)));
        }
    }
    if let Some(policy) = get(service, "/spec/ipFamilyPolicy").as_str() {
        let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        errors.extend(one_of("spec.ipFamilyPolicy", policy, &policies));
    }
    let known = old.map(|old| texts(old, "/spec/clusterIPs")).unwrap_or_default();
    let mut unreadable = false;
    for (index, address) in addresses
        .iter()
        .enumerate()
        .filter(|(_, address)| !known.contains(address))
    {
        if index == 0 && *address == "None" {
            if addresses.len() > 1 {
                unreadable = true;
                errors.push(wrong("'None' must be the first and only value"));
            }
            continue;
        }
        let broken = ip::address(&format!("{FIELD}[{index}]"), address);
        unreadable |= !broken.is_empty();
        errors.extend(broken);
    }
    if addresses.len() > 2 {
        errors.push(wrong("may only hold up to 2 values"));
    }
    if unreadable {
        return errors;
    }
    let own: Vec<Option<&str>> = addresses.iter().map(|address| ip::family(address)).collect();
    if own.len() > 1 && (own.len() != 2 || own.first() == own.last()) {
        errors.push(wrong("may specify no more than one IP for each IP family"));
    }
    if !is_headless(service) {
        for (index, (address, family)) in addresses.iter().zip(&families).enumerate() {
            if ["IPv4", "IPv6"].contains(family) && own.get(index) != Some(&Some(*family)) {
                let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
                errors.push(FieldError::invalid(format!("{FIELD}[{index}]"), json!(address), detail));
            }
        }
    }
    errors
}

fn type_rules(object: &Value, kind: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(object) => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.push(FieldError::invalid("spec.clusterIPs[0]", json!("None"), detail));
        }
        "ExternalName" => {
            for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                let value = get(object, &format!("/spec/{field}"));
                if !value.is_null() && *value != json!([]) {
                    let detail = "may not be set for ExternalName services";
                    errors.push(FieldError::forbidden(format!("spec.{field}"), detail));
                }
            }
            let name = text(object, "/spec/externalName");
            let name = name.strip_suffix('.').unwrap_or(name);
            match name.is_empty() {
                true => errors.push(FieldError::required("spec.externalName", "")),
                false => errors.extend(broken("spec.externalName", name, dns1123_subdomain(name))),
            }
        }
        _ => {}
    }
    errors
}

fn service_port(port: &Value, all: &[Value], index: usize) -> Vec<FieldError> {
    let at = |field: &str| format!("spec.ports[{index}].{field}");
    let mut errors = Vec::new();
    match text(port, "/name") {
        "" if all.len() > 1 => errors.push(FieldError::required(at("name"), "")),
        "" => {}
        name => {
            errors.extend(broken(&at("name"), name, dns1123_label(name)));
            if all.iter().take(index).any(|earlier| text(earlier, "/name") == name) {
                errors.push(FieldError::duplicate(at("name"), json!(name)));
            }
        }
    }
    let own = number(port, "/port").unwrap_or_default();
    errors.extend(port_errors(&at("port"), own));
    match text(port, "/protocol") {
        "" => errors.push(FieldError::required(at("protocol"), "")),
        protocol => errors.extend(one_of(&at("protocol"), protocol, &PROTOCOLS)),
    }
    errors.extend(port_or_name(get(port, "/targetPort"), &at("targetPort")));
    if let Some(protocol) = get(port, "/appProtocol").as_str() {
        errors.extend(broken(&at("appProtocol"), protocol, qualified_name(protocol)));
    }
    errors
}

/// The rules for a port that may be given by name.
pub(super) fn port_or_name(port: &Value, field: &str) -> Vec<FieldError> {
    match port {
        Value::String(name) => broken(field, name, port_name(name)),
        other => port_errors(field, other.as_i64().unwrap_or_default()),
    }
}

/// "must be between 1 and 65535, inclusive".
pub(super) fn port_errors(field: &str, port: i64) -> Vec<FieldError> {
    let error = |detail| FieldError::invalid(field, json!(port), detail);
    port_number(port).into_iter().map(error).collect()
}

fn session_affinity(object: &Value) -> Vec<FieldError> {
    const FIELD: &str = "spec.sessionAffinityConfig";
    let config = get(object, "/spec/sessionAffinityConfig");
    let affinity = text(object, "/spec/sessionAffinity");
    let missing = |field: String| vec![FieldError::required(field, "when session affinity type is ClientIP")];
    match affinity {
        "" => vec![FieldError::required("spec.sessionAffinity", "")],
        "ClientIP" if config.is_null() => missing(FIELD.to_owned()),
        "ClientIP" if get(config, "/clientIP").is_null() => missing(format!("{FIELD}.clientIP")),
        "ClientIP" => {
            let field = format!("{FIELD}.clientIP.timeoutSeconds");
            match number(config, "/clientIP/timeoutSeconds") {
                None => missing(field),
                Some(1..=DAY) => Vec::new(),
                Some(seconds) => {
                    let detail = format!("must be greater than 0 and less than {DAY}");
                    vec![FieldError::invalid(field, json!(seconds), detail)]
                }
            }
        }
        "None" if !config.is_null() => {
            let detail = "must not be set when session affinity is None";
            vec![FieldError::forbidden(FIELD, detail)]
        }
        other => one_of("spec.sessionAffinity", other, &["ClientIP", "None"])
            .into_iter()
            .collect(),
    }
}

fn repeated_ports(ports: &[Value], kind: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let node_port = |port: &Value| number(port, "/nodePort").filter(|port| *port != 0);
    for (index, _) in ports.iter().enumerate().filter(|(_, port)| node_port(port).is_some()) {
        if kind == "ClusterIP" {
            let detail = "may not be used when `type` is 'ClusterIP'";
            errors.push(FieldError::forbidden(format!("spec.ports[{index}].nodePort"), detail));
        }
    }
    let same_protocol = |a: &Value, b: &Value| text(a, "/protocol") == text(b, "/protocol");
    for (index, port) in ports.iter().enumerate() {
        let Some(own) = node_port(port) else { continue };
        let earlier = ports.iter().take(index);
        if earlier
            .clone()
            .any(|other| node_port(other) == Some(own) && same_protocol(other, port))
        {
            errors.push(FieldError::duplicate(
                format!("spec.ports[{index}].nodePort"),
                json!(own),
            ));
        }
    }
    for (index, port) in ports.iter().enumerate() {
        let own = number(port, "/port").unwrap_or_default();
        let same = |other: &Value| number(other, "/port").unwrap_or_default() == own && same_protocol(other, port);
        if ports.iter().take(index).any(same) {
            let protocol = json!(text(port, "/protocol"));
            let error = FieldError::duplicate(format!("spec.ports[{index}]"), Value::Null);
            errors.push(error.shown_as(format!(
                "{{\"Name\":\"\",\"Protocol\":{protocol},\"AppProtocol\":null,\"Port\":{own},\"TargetPort\":0,\
                 \"NodePort\":0}}"
            )));
        }
    }
    errors
}

fn source_ranges(object: &Value, kind: &str) -> Vec<FieldError> {
    let ranges = texts(object, "/spec/loadBalancerSourceRanges");
    let annotation = entries(object, "/metadata/annotations").find(|(key, _)| *key == SOURCE_RANGES);
    let mut errors = Vec::new();
    // Upstream's path has the capital.
    let (field, ranges) = match annotation {
        _ if !ranges.is_empty() => ("spec.LoadBalancerSourceRanges".to_owned(), ranges),
        Some((_, value)) => {
            let value = value.as_str().unwrap_or_default().trim();
            let ranges = value.split(',').filter(|_| !value.is_empty()).collect();
            (format!("metadata.annotations[{SOURCE_RANGES}]"), ranges)
        }
        None => return errors,
    };
    if kind != "LoadBalancer" {
        let detail = "may only be used when `type` is 'LoadBalancer'";
        errors.push(FieldError::forbidden(&*field, detail));
    }
    for (index, range) in ranges.into_iter().enumerate() {
        let field = match field.starts_with("spec") {
            true => format!("{field}[{index}]"),
            false => field.clone(),
        };
        errors.extend(ip::cidr(&field, range.trim()));
    }
    errors
}

fn traffic_policies(object: &Value, kind: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = "spec.externalTrafficPolicy";
    match (text(object, "/spec/externalTrafficPolicy"), is_external(object)) {
        ("", false) => {}
        ("", true) => errors.push(FieldError::required(field, "")),
        (policy, true) => errors.extend(one_of(field, policy, &["Cluster", "Local"])),
        (policy, false) => {
            let detail = "may only be set for externally-accessible services";
            errors.push(FieldError::invalid(field, json!(policy), detail));
        }
    }
    let field = "spec.healthCheckNodePort";
    match (
        number(object, "/spec/healthCheckNodePort").unwrap_or_default(),
        has_health_check(object),
    ) {
        (0, false) => {}
        (0, true) => errors.push(FieldError::required(field, "")),
        (port, true) => errors.extend(port_errors(field, port)),
        (port, false) => {
            let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(FieldError::invalid(field, json!(port), detail));
        }
    }
    let field = "spec.internalTrafficPolicy";
    match get(object, "/spec/internalTrafficPolicy").as_str() {
        None if matches!(kind, "NodePort" | "LoadBalancer" | "ClusterIP") => {
            errors.push(FieldError::required(field, ""));
        }
        None => {}
        Some(policy) => errors.extend(one_of(field, policy, &["Cluster", "Local"])),
    }
    if let Some(distribution) = get(object, "/spec/trafficDistribution").as_str() {
        let supported = ["PreferClose", "PreferSameZone", "PreferSameNode"];
        errors.extend(one_of("spec.trafficDistribution", distribution, &supported));
    }
    errors
}

fn addresses_update(new: &Value, old: &Value) -> Vec<FieldError> {
    if is_headless(new) && is_headless(old) {
        return Vec::new();
    }
    let (now, before) = (texts(new, "/spec/clusterIPs"), texts(old, "/spec/clusterIPs"));
    let wrong = |index: usize, detail: &str| {
        let all = get(new, "/spec/clusterIPs").clone();
        FieldError::invalid(format!("spec.clusterIPs[{index}]"), all, detail)
    };
    let mut errors = Vec::new();
    if now.is_empty() && !before.is_empty() {
        errors.push(wrong(0, "primary clusterIP can not be unset"));
    }
    let compared = if now.len() == before.len() { now.len() } else { 1 };
    for (index, (now, before)) in now.iter().zip(&before).take(compared).enumerate() {
        if now != before {
            errors.push(wrong(index, "may not change once set"));
        }
    }
    if before.len() > now.len() && now.len() == 1 && text(new, "/spec/ipFamilyPolicy") != "SingleStack" {
        let detail = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        let policy = get(new, "/spec/ipFamilyPolicy").clone();
        errors.push(FieldError::invalid("spec.ipFamilyPolicy", policy, detail));
    }
    errors
}

fn families_update(new: &Value, old: &Value) -> Vec<FieldError> {
    if is_headless(new) || is_headless(old) {
        return Vec::new();
    }
    let (now, before) = (texts(new, "/spec/ipFamilies"), texts(old, "/spec/ipFamilies"));
    let all = get(new, "/spec/ipFamilies");
    let compared = if now.len() == before.len() { now.len() } else { 1 };
    let changed = now
        .iter()
        .zip(&before)
        .take(compared)
        .filter(|(now, before)| now != before);
    let wrong = |_| FieldError::invalid("spec.ipFamilies[0]", all.clone(), "may not change once set");
    let mut errors: Vec<FieldError> = changed.map(wrong).collect();
    if before.len() > now.len() && now.len() == 1 && text(new, "/spec/ipFamilyPolicy") != "SingleStack" {
        let detail = "must be set to 'SingleStack' when releasing the secondary ipFamily";
        let policy = get(new, "/spec/ipFamilyPolicy").clone();
        errors.push(FieldError::invalid("spec.ipFamilyPolicy", policy, detail));
    }
    errors
}

fn is_headless(service: &Value) -> bool {
    texts(service, "/spec/clusterIPs") == ["None"]
}

fn has_health_check(service: &Value) -> bool {
    text(service, "/spec/type") == "LoadBalancer" && text(service, "/spec/externalTrafficPolicy") == "Local"
}
/// Warnings about a service, new or changed from an old one.
pub(in crate::registry) fn warnings(service: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    let changed = |field: &str| old.map(|old| get(old, field)) != Some(get(service, field));
    if !items(service, "/spec/externalIPs").is_empty() && changed("/spec/externalIPs") {
        warnings.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    let kind = text(service, "/spec/type");
    if kind != "ExternalName" && !text(service, "/spec/externalName").is_empty() {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if kind == "ClusterIP" && text(service, "/spec/clusterIP") == "None" {
        if !text(service, "/spec/loadBalancerIP").is_empty() {
            warnings.push("spec.loadBalancerIP is ignored for headless services".to_owned());
        }
        if text(service, "/spec/sessionAffinity") == "ClientIP" {
            warnings.push("spec.SessionAffinity is ignored for headless services".to_owned());
        }
    }
    if text(service, "/spec/trafficDistribution") == "PreferClose" && changed("/spec/trafficDistribution") {
        warnings.push("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned());
    }
    warnings
}
