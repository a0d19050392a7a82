//! The rules for endpoints and slices of them.

use kubewire_client::validation::{dns1123_label, dns1123_subdomain, label_value, qualified_name};
use serde_json::{Value, json};

use super::service::port_errors;
use super::values::{broken, get, immutable, items, number, one_of, text, texts};
use super::{ip, metadata};
use crate::status::FieldError;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;
const ENDPOINTS_MAX: usize = 1000;
const HINTS_MAX: usize = 8;

/// The rules for endpoints.
pub(in crate::registry) fn endpoints(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, subset) in items(object, "/subsets").iter().enumerate() {
        let path = format!("subsets[{index}]");
        let lists = ["addresses", "notReadyAddresses"];
        if lists.iter().all(|list| items(subset, &format!("/{list}")).is_empty()) {
            let detail = "must specify `addresses` or `notReadyAddresses`";
            errors.push(FieldError::required(&*path, detail));
        }
        for list in lists {
            for (index, address) in items(subset, &format!("/{list}")).iter().enumerate() {
                errors.extend(subset_address(address, &format!("{path}.{list}[{index}]")));
            }
        }
        let ports = items(subset, "/ports");
        for (index, port) in ports.iter().enumerate() {
            errors.extend(subset_port(port, ports.len() > 1, &format!("{path}.ports[{index}]")));
        }
    }
    errors
}

/// The rules for a slice.
pub(in crate::registry) fn slice(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let ports = items(object, "/ports");
    match ports.len() {
        0..=PORTS_MAX => {
            for (index, port) in ports.iter().enumerate() {
                errors.extend(slice_port(port, ports, index));
            }
        }
        count => errors.push(FieldError::too_many("ports", count, PORTS_MAX)),
    }
    let kind = text(object, "/addressType");
    let all = items(object, "/endpoints");
    match all.len() {
        0..=ENDPOINTS_MAX => {
            for (index, endpoint) in all.iter().enumerate() {
                errors.extend(slice_endpoint(endpoint, kind, &format!("endpoints[{index}]")));
            }
        }
        count => errors.push(FieldError::too_many("endpoints", count, ENDPOINTS_MAX)),
    }
    // Declared rules come after the others.
    match kind {
        "" => errors.push(FieldError::required("addressType", "")),
        kind => errors.extend(one_of("addressType", kind, &["FQDN", "IPv4", "IPv6"])),
    }
    for (index, endpoint) in all.iter().enumerate().take(ENDPOINTS_MAX) {
        let field = format!("endpoints[{index}].addresses");
        match items(endpoint, "/addresses").len() {
            0 => errors.push(FieldError::required(field, "")),
            1..=ADDRESSES_MAX => {}
            count => errors.push(FieldError::too_many(field, count, ADDRESSES_MAX)),
        }
    }
    errors
}

/// The rules for a change of a slice.
pub(in crate::registry) fn slice_update(new: &Value, old: &Value) -> Vec<FieldError> {
    immutable(new, old, "/addressType").into_iter().collect()
}

fn subset_address(address: &Value, path: &str) -> Vec<FieldError> {
    let field = format!("{path}.ip");
    let mut errors = ip::address(&field, text(address, "/ip"));
    for (name, rule) in [
        ("hostname", dns1123_label as fn(&str) -> Vec<String>),
        ("nodeName", dns1123_subdomain),
    ] {
        let value = text(address, &format!("/{name}"));
        if !value.is_empty() {
            errors.extend(broken(&format!("{path}.{name}"), value, rule(value)));
        }
    }
    errors.extend(ip::endpoint_address(&field, text(address, "/ip")));
    errors
}

fn subset_port(port: &Value, needs_name: bool, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    match text(port, "/name") {
        "" if needs_name => errors.push(FieldError::required(at("name"), "")),
        "" => {}
        name => errors.extend(broken(&at("name"), name, dns1123_label(name))),
    }
    errors.extend(port_errors(&at("port"), number(port, "/port").unwrap_or_default()));
    errors.extend(protocols(port, path));
    errors
}

fn slice_port(port: &Value, all: &[Value], index: usize) -> Vec<FieldError> {
    let path = format!("ports[{index}]");
    let name = text(port, "/name");
    let mut errors = Vec::new();
    if !name.is_empty() {
        errors.extend(broken(&format!("{path}.name"), name, dns1123_label(name)));
    }
    if all.iter().take(index).any(|earlier| text(earlier, "/name") == name) {
        errors.push(FieldError::duplicate(format!("{path}.name"), json!(name)));
    }
    errors.extend(protocols(port, &path));
    errors
}

fn protocols(port: &Value, path: &str) -> Vec<FieldError> {
    let field = format!("{path}.protocol");
    let mut errors = Vec::new();
    match text(port, "/protocol") {
        "" => errors.push(FieldError::required(field, "")),
        protocol => errors.extend(one_of(&field, protocol, &PROTOCOLS)),
    }
    if let Some(protocol) = get(port, "/appProtocol").as_str() {
        errors.extend(broken(
            &format!("{path}.appProtocol"),
            protocol,
            qualified_name(protocol),
        ));
    }
    errors
}

fn slice_endpoint(endpoint: &Value, kind: &str, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, address) in texts(endpoint, "/addresses").into_iter().enumerate() {
        let field = format!("{path}.addresses[{index}]");
        let wrong = match kind {
            "IPv4" => ip::address(&field, address),
            "IPv6" => ip::canonical_address(&field, address),
            "FQDN" => broken(&field, address, dns1123_subdomain(address)),
            _ => continue,
        };
        if !wrong.is_empty() || kind == "FQDN" {
            errors.extend(wrong);
            continue;
        }
        if ip::family(address) != Some(kind) {
            let detail = format!("must be an {kind} address");
            errors.push(FieldError::invalid(format!("{path}.addresses"), json!(address), detail));
        }
        errors.extend(ip::endpoint_address(&field, address));
    }
    if let Some(node) = get(endpoint, "/nodeName").as_str() {
        errors.extend(broken(&format!("{path}.nodeName"), node, dns1123_subdomain(node)));
    }
    let topology = endpoint.get("deprecatedTopology");
    errors.extend(metadata::labels(topology, &format!("{path}.deprecatedTopology")));
    if let Some(host) = get(endpoint, "/hostname").as_str() {
        errors.extend(broken(&format!("{path}.hostname"), host, dns1123_label(host)));
    }
    for (list, rule) in [
        ("forZones", label_value as fn(&str) -> Vec<String>),
        ("forNodes", dns1123_subdomain),
    ] {
        errors.extend(hints(endpoint, list, rule, &format!("{path}.hints.{list}")));
    }
    errors
}

fn hints(endpoint: &Value, list: &str, rule: fn(&str) -> Vec<String>, path: &str) -> Vec<FieldError> {
    let hints = items(endpoint, &format!("/hints/{list}"));
    if hints.len() > HINTS_MAX {
        return vec![FieldError::too_many(path, hints.len(), HINTS_MAX)];
    }
    let mut errors = Vec::new();
    for (index, hint) in hints.iter().enumerate() {
        let (field, name) = (format!("{path}[{index}].name"), text(hint, "/name"));
        if hints.iter().take(index).any(|earlier| text(earlier, "/name") == name) {
            errors.push(FieldError::duplicate(&*field, json!(name)));
        }
        errors.extend(broken(&field, name, rule(name)));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn subsets() {
        let object = |address: &str| json!({ "subsets": [{ "addresses": [{ "ip": address }], "ports": [{ "port": 80, "protocol": "TCP" }] }] });
        assert_eq!(told(endpoints(&object("10.0.0.1"))), Vec::<String>::new());
        assert_eq!(
            told(endpoints(&object("127.0.0.1"))),
            [
                "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range \
                 (127.0.0.0/8, ::1/128)"
            ]
        );
        assert_eq!(
            told(endpoints(&json!({ "subsets": [{}] }))),
            ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]
        );
    }

    #[test]
    fn slices() {
        let object =
            |kind: &str, address: &str| json!({ "addressType": kind, "endpoints": [{ "addresses": [address] }] });
        assert_eq!(told(slice(&object("IPv4", "10.0.0.1"))), Vec::<String>::new());
        assert_eq!(told(slice(&object("FQDN", "a.example.com"))), Vec::<String>::new());
        assert_eq!(
            told(slice(&object("IPv4", "fd00::1"))),
            ["endpoints[0].addresses: Invalid value: \"fd00::1\": must be an IPv4 address"]
        );
        assert_eq!(
            told(slice_update(&object("IPv6", "a"), &object("IPv4", "a"))),
            ["addressType: Invalid value: \"IPv6\": field is immutable"]
        );
    }
}
