//! The rules for containers.

use std::collections::HashSet;

use kubewire_client::validation::{dns1123_label, port_name, qualified_name};
use serde_json::{Value, json};

use super::probe;
use crate::registry::quantity::nanos;
use crate::registry::validation::values::{broken, entries, get, items, number, one_of, text};
use crate::status::FieldError;

/// What the pod has that its containers refer to.
pub(super) struct Place<'a> {
    pub(super) volumes: HashSet<&'a str>,
    pub(super) host_network: bool,
}

/// The rules for all containers of a pod's spec.
pub(super) fn validate_all(spec: &Value, place: &Place<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = format!("{path}.containers");
    let containers = items(spec, "/containers");
    let mut names = HashSet::new();
    if containers.is_empty() {
        errors.push(FieldError::required(&at, ""));
    }
    for (index, container) in containers.iter().enumerate() {
        let path = format!("{at}[{index}]");
        errors.extend(validate(container, place, &path));
        errors.extend(unique(&mut names, container, &path));
        errors.extend(probe::lifecycle(
            get(container, "/lifecycle"),
            &format!("{path}.lifecycle"),
        ));
        errors.extend(probe::validate_all(container, &path));
    }
    errors.extend(host_port_conflicts(containers, &at));
    let at = format!("{path}.initContainers");
    for (index, container) in items(spec, "/initContainers").iter().enumerate() {
        let path = format!("{at}[{index}]");
        errors.extend(validate(container, place, &path));
        errors.extend(unique(&mut names, container, &path));
        errors.extend(init_only(container, &path));
    }
    let at = format!("{path}.ephemeralContainers");
    for (index, container) in items(spec, "/ephemeralContainers").iter().enumerate() {
        let path = format!("{at}[{index}]");
        errors.extend(validate(container, place, &path));
        errors.extend(unique(&mut names, container, &path));
    }
    errors
}

/// The rules that every container has to follow.
fn validate(container: &Value, place: &Place<'_>, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    match text(container, "/name") {
        "" => errors.push(FieldError::required(at("name"), "")),
        name => errors.extend(broken(&at("name"), name, dns1123_label(name))),
    }
    match text(container, "/image") {
        "" => errors.push(FieldError::required(at("image"), "")),
        image if image.trim() != image => {
            let detail = "must not have leading or trailing whitespace";
            errors.push(FieldError::invalid(at("image"), json!(image), detail));
        }
        _ => {}
    }
    let policy = text(container, "/terminationMessagePolicy");
    let supported = ["FallbackToLogsOnError", "File"];
    errors.extend(one_of(&at("terminationMessagePolicy"), policy, &supported));
    errors.extend(ports(items(container, "/ports"), place, &at("ports")));
    errors.extend(environment(container, path));
    errors.extend(mounts(items(container, "/volumeMounts"), place, &at("volumeMounts")));
    let pull = text(container, "/imagePullPolicy");
    errors.extend(one_of(
        &at("imagePullPolicy"),
        pull,
        &["Always", "IfNotPresent", "Never"],
    ));
    errors.extend(resources(get(container, "/resources"), &at("resources")));
    errors
}

fn unique<'a>(names: &mut HashSet<&'a str>, container: &'a Value, path: &str) -> Option<FieldError> {
    let name = text(container, "/name");
    (!name.is_empty() && !names.insert(name)).then(|| FieldError::duplicate(format!("{path}.name"), json!(name)))
}

/// An init container that ends has no lifecycle and no probes.
fn init_only(container: &Value, path: &str) -> Vec<FieldError> {
    if text(container, "/restartPolicy") == "Always" {
        return probe::validate_all(container, path);
    }
    let detail = "may not be set for init containers without restartPolicy=Always";
    ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]
        .into_iter()
        .filter(|field| !get(container, &format!("/{field}")).is_null())
        .map(|field| FieldError::forbidden(format!("{path}.{field}"), detail))
        .collect()
}

fn ports(ports: &[Value], place: &Place<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let name = text(port, "/name");
        if !name.is_empty() {
            let wrong = port_name(name);
            if wrong.is_empty() && !names.insert(name) {
                errors.push(FieldError::duplicate(at("name"), json!(name)));
            }
            errors.extend(broken(&at("name"), name, wrong));
        }
        let in_range = |port: i64| (1..=65535).contains(&port);
        let range = "must be between 1 and 65535, inclusive";
        let container_port = number(port, "/containerPort").unwrap_or_default();
        match container_port {
            0 => errors.push(FieldError::required(at("containerPort"), "")),
            port if !in_range(port) => errors.push(FieldError::invalid(at("containerPort"), json!(port), range)),
            _ => {}
        }
        let host_port = number(port, "/hostPort").unwrap_or_default();
        if host_port != 0 && !in_range(host_port) {
            errors.push(FieldError::invalid(at("hostPort"), json!(host_port), range));
        } else if place.host_network && host_port != container_port && host_port != 0 {
            let detail = "must match `containerPort` when `hostNetwork` is true";
            errors.push(FieldError::invalid(at("hostPort"), json!(host_port), detail));
        }
        match text(port, "/protocol") {
            "" => errors.push(FieldError::required(at("protocol"), "")),
            protocol => errors.extend(one_of(&at("protocol"), protocol, &["SCTP", "TCP", "UDP"])),
        }
    }
    errors
}

/// No two containers can have the same port of the node.
fn host_port_conflicts(containers: &[Value], path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut taken = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        for (number_of, port) in items(container, "/ports").iter().enumerate() {
            let Some(host) = number(port, "/hostPort").filter(|port| *port != 0) else {
                continue;
            };
            let shown = format!("{}/{}/{host}", text(port, "/protocol"), text(port, "/hostIP"));
            if !taken.insert(shown.clone()) {
                let field = format!("{path}[{index}].ports[{number_of}].hostPort");
                errors.push(FieldError::duplicate(field, json!(shown)));
            }
        }
    }
    errors
}

fn environment(container: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, variable) in items(container, "/env").iter().enumerate() {
        let at = |field: &str| format!("{path}.env[{index}].{field}");
        match text(variable, "/name") {
            "" => errors.push(FieldError::required(at("name"), "")),
            name if !name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') => {
                let detail = "a valid environment variable name must consist only of printable ASCII characters other \
                              than '='";
                errors.push(FieldError::invalid(at("name"), json!(name), detail));
            }
            _ => {}
        }
        let sources: Vec<&String> = entries(variable, "/valueFrom")
            .filter(|(_, value)| !value.is_null())
            .map(|(source, _)| source)
            .collect();
        if get(variable, "/valueFrom").is_object() {
            if !text(variable, "/value").is_empty() && !sources.is_empty() {
                let detail = "may not be specified when `value` is not empty";
                errors.push(FieldError::invalid(at("valueFrom"), json!(""), detail));
            } else if sources.len() > 1 {
                let detail = "may not have more than one field specified at a time";
                errors.push(FieldError::invalid(at("valueFrom"), json!(""), detail));
            } else if sources.is_empty() {
                let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, \
                              `secretKeyRef` or `fileKeyRef`";
                errors.push(FieldError::invalid(at("valueFrom"), json!(""), detail));
            }
        }
        for source in ["configMapKeyRef", "secretKeyRef"] {
            let reference = get(variable, &format!("/valueFrom/{source}"));
            if reference.is_object() {
                for field in ["name", "key"] {
                    if text(reference, &format!("/{field}")).is_empty() && field == "key" {
                        errors.push(FieldError::required(at(&format!("valueFrom.{source}.{field}")), ""));
                    }
                }
            }
        }
    }
    for (index, source) in items(container, "/envFrom").iter().enumerate() {
        let count = ["configMapRef", "secretRef"]
            .iter()
            .filter(|kind| !get(source, &format!("/{kind}")).is_null())
            .count();
        if count != 1 {
            let detail = match count {
                0 => "must specify one of: `configMapRef` or `secretRef`",
                _ => "may not have more than one field specified at a time",
            };
            errors.push(FieldError::invalid(
                format!("{path}.envFrom[{index}]"),
                json!(""),
                detail,
            ));
        }
    }
    errors
}

fn mounts(mounts: &[Value], place: &Place<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut paths = HashSet::new();
    for (index, mount) in mounts.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let name = text(mount, "/name");
        if name.is_empty() {
            errors.push(FieldError::required(at("name"), ""));
        }
        if !place.volumes.contains(name) {
            errors.push(FieldError::not_found(at("name"), json!(name)));
        }
        let mount_path = text(mount, "/mountPath");
        if mount_path.is_empty() {
            errors.push(FieldError::required(at("mountPath"), ""));
        }
        if !paths.insert(mount_path) {
            errors.push(FieldError::invalid(
                at("mountPath"),
                json!(mount_path),
                "must be unique",
            ));
        }
        let sub_path = text(mount, "/subPath");
        if sub_path.starts_with('/') {
            errors.push(FieldError::invalid(
                at("subPath"),
                json!(sub_path),
                "must be a relative path",
            ));
        }
        if sub_path.split('/').any(|part| part == "..") {
            errors.push(FieldError::invalid(
                at("subPath"),
                json!(sub_path),
                "must not contain '..'",
            ));
        }
    }
    errors
}

/// Requests must not exceed limits.
fn resources(resources: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (name, value) in entries(resources, "/limits") {
        errors.extend(resource(name, value, &format!("{path}.limits")));
    }
    for (name, value) in entries(resources, "/requests") {
        errors.extend(resource(name, value, &format!("{path}.requests")));
        let limit = resources
            .get("limits")
            .and_then(|limits| limits.get(name))
            .and_then(Value::as_str);
        let request = value.as_str().unwrap_or_default();
        if let Some(limit) = limit
            && nanos(request) > nanos(limit)
        {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            errors.push(FieldError::invalid(format!("{path}.requests"), json!(request), detail));
        }
    }
    errors
}

fn resource(name: &str, value: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = broken(path, name, qualified_name(name));
    let standard = ["cpu", "memory", "ephemeral-storage", "storage"];
    if !name.contains('/') && !standard.contains(&name) && !name.starts_with("hugepages-") {
        let detail = "must be a standard resource for containers";
        errors.push(FieldError::invalid(path, json!(name), detail));
    }
    let quantity = value.as_str().unwrap_or_default();
    if nanos(quantity).is_some_and(|nanos| nanos < 0) {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(format!("{path}[{name}]"), json!(quantity), detail));
    }
    errors
}
