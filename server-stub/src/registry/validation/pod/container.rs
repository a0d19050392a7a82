//! The rules for containers.

use std::collections::HashSet;

use kubewire_client::validation::{dns1123_label, port_name};
use serde_json::{Value, json};

use super::{environment, mounts, probe, resources, security};
use crate::registry::validation::values::{broken, flag, get, items, number, one_of, text};
use crate::status::FieldError;

/// What the pod has that its containers refer to.
pub(super) struct PodFacts<'a> {
    /// Those that break no rules.
    pub(super) volumes: Vec<&'a Value>,
    pub(super) claims: HashSet<&'a str>,
    pub(super) host_network: bool,
    pub(super) host_users: bool,
    pub(super) restart_policy: &'a str,
    pub(super) grace_period: i64,
    /// Whether it is a pod and not a template.
    pub(super) is_pod: bool,
}

impl<'a> PodFacts<'a> {
    pub(super) fn volume(&self, name: &str) -> Option<&'a Value> {
        self.volumes
            .iter()
            .copied()
            .find(|volume| text(volume, "/name") == name)
    }
}

/// All containers of a pod's spec with their paths.
pub(super) fn all<'a>(spec: &'a Value, path: &str) -> impl Iterator<Item = (String, &'a Value)> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(move |list| {
            let containers = items(spec, &format!("/{list}")).iter().enumerate();
            containers.map(move |(index, container)| (format!("{path}.{list}[{index}]"), container))
        })
}

/// The rules for all containers of a pod's spec.
pub(super) fn validate_all(spec: &Value, facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = format!("{path}.containers");
    let containers = items(spec, "/containers");
    let mut names = HashSet::new();
    if containers.is_empty() {
        errors.push(FieldError::required(&at, ""));
    }
    for (index, container) in containers.iter().enumerate() {
        let path = format!("{at}[{index}]");
        errors.extend(validate(container, facts, &path));
        errors.extend(unique(&mut names, container, &path));
        errors.extend(restarts(container, &path));
        errors.extend(probe::of_container(container, facts.grace_period, &path));
    }
    errors.extend(host_port_conflicts(containers, &at));
    let at = format!("{path}.initContainers");
    for (index, container) in items(spec, "/initContainers").iter().enumerate() {
        let path = format!("{at}[{index}]");
        errors.extend(validate(container, facts, &path));
        errors.extend(unique(&mut names, container, &path));
        let restarts = restarts(container, &path);
        let shown = if get(container, "/restartPolicy").is_null() {
            1
        } else {
            restarts.len()
        };
        errors.extend(restarts.into_iter().take(shown));
        errors.extend(init_only(container, facts.grace_period, &path));
    }
    let at = format!("{path}.ephemeralContainers");
    let regular = names.clone();
    for (index, container) in items(spec, "/ephemeralContainers").iter().enumerate() {
        let path = format!("{at}[{index}]");
        errors.extend(validate(container, facts, &path));
        errors.extend(unique(&mut names, container, &path));
        errors.extend(ephemeral_only(container, &regular, &path));
    }
    errors
}

/// The rules that every container has to follow.
fn validate(container: &Value, facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    match text(container, "/name") {
        "" => errors.push(FieldError::required(at("name"), "")),
        name => errors.extend(broken(&at("name"), name, dns1123_label(name))),
    }
    match text(container, "/image") {
        "" => errors.push(FieldError::required(at("image"), "")),
        image if facts.is_pod && image.trim() != image => {
            let detail = "must not have leading or trailing whitespace";
            errors.push(FieldError::invalid(at("image"), json!(image), detail));
        }
        _ => {}
    }
    let policy = text(container, "/terminationMessagePolicy");
    let supported = ["File", "FallbackToLogsOnError"];
    errors.extend(one_of(&at("terminationMessagePolicy"), policy, &supported));
    errors.extend(ports(items(container, "/ports"), facts, &at("ports")));
    errors.extend(environment::validate(container, facts, path));
    errors.extend(mounts::mounts(container, facts, &at("volumeMounts")));
    errors.extend(mounts::devices(container, facts, &at("volumeDevices")));
    let pull = text(container, "/imagePullPolicy");
    errors.extend(one_of(
        &at("imagePullPolicy"),
        pull,
        &["Always", "IfNotPresent", "Never"],
    ));
    errors.extend(resources::of_container(
        get(container, "/resources"),
        &facts.claims,
        &at("resources"),
    ));
    errors.extend(resize_policy(container, facts, &at("resizePolicy")));
    errors.extend(security::of_container(container, facts.host_users, path));
    errors
}

fn unique<'a>(names: &mut HashSet<&'a str>, container: &'a Value, path: &str) -> Option<FieldError> {
    let name = text(container, "/name");
    (!name.is_empty() && !names.insert(name)).then(|| FieldError::duplicate(format!("{path}.name"), json!(name)))
}

/// An init container that ends has no lifecycle and no probes.
fn init_only(container: &Value, grace_period: i64, path: &str) -> Vec<FieldError> {
    if text(container, "/restartPolicy") == "Always" {
        return probe::of_container(container, grace_period, path);
    }
    let detail = "may not be set for init containers without restartPolicy=Always";
    ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]
        .into_iter()
        .filter(|field| !get(container, &format!("/{field}")).is_null())
        .map(|field| FieldError::forbidden(format!("{path}.{field}"), detail))
        .collect()
}

/// A container that is added for a look has nothing that a pod counts on.
fn ephemeral_only(container: &Value, others: &HashSet<&str>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let target = text(container, "/targetContainerName");
    if !target.is_empty() && !others.contains(target) {
        let field = format!("{path}.targetContainerName");
        errors.push(FieldError::not_found(field, json!(target)));
    }
    let is_set = |field: &&str| match get(container, &format!("/{field}")) {
        Value::Null => false,
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(fields) => *field != "resources" || !fields.is_empty(),
        _ => true,
    };
    let fields = [
        "ports",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
        "resources",
        "resizePolicy",
        "restartPolicy",
        "restartPolicyRules",
    ];
    let forbidden = |field| FieldError::forbidden(field, "cannot be set for an Ephemeral Container");
    let set = fields.iter().filter(|field| is_set(field));
    errors.extend(set.map(|field| forbidden(format!("{path}.{field}"))));
    for (index, mount) in items(container, "/volumeMounts").iter().enumerate() {
        for field in ["subPath", "subPathExpr"] {
            if !text(mount, &format!("/{field}")).is_empty() {
                errors.push(forbidden(format!("{path}.volumeMounts[{index}].{field}")));
            }
        }
    }
    errors
}

/// Whether a container starts again by rules of its own.
fn restarts(container: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = format!("{path}.restartPolicy");
    let rules = items(container, "/restartPolicyRules");
    match get(container, "/restartPolicy").as_str() {
        Some(policy) => errors.extend(one_of(&field, policy, &["Always", "Never", "OnFailure"])),
        None if !rules.is_empty() => {
            let detail = "must specify restartPolicy when restart rules are used";
            errors.push(FieldError::required(field, detail));
        }
        None => {}
    }
    for (index, rule) in rules.iter().enumerate() {
        let at = |field: &str| format!("{path}.restartPolicyRules[{index}].{field}");
        let actions = ["Restart", "RestartAllContainers"];
        errors.extend(one_of(&at("action"), text(rule, "/action"), &actions));
        if get(rule, "/exitCodes").is_null() {
            errors.push(FieldError::required(at("exitCodes"), "must be specified"));
            continue;
        }
        let operator = text(rule, "/exitCodes/operator");
        errors.extend(one_of(&at("exitCodes.operator"), operator, &["In", "NotIn"]));
    }
    errors
}

fn resize_policy(container: &Value, facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = HashSet::new();
    for (index, policy) in items(container, "/resizePolicy").iter().enumerate() {
        let (name, restart) = (text(policy, "/resourceName"), text(policy, "/restartPolicy"));
        match name {
            "cpu" | "memory" if !names.insert(name) => {
                errors.push(FieldError::duplicate(format!("{path}[{index}]"), json!(name)));
            }
            "" => errors.push(FieldError::required(path, "")),
            name => errors.extend(one_of(path, name, &["cpu", "memory"])),
        }
        match restart {
            "" => errors.push(FieldError::required(path, "")),
            restart => errors.extend(one_of(path, restart, &["NotRequired", "RestartContainer"])),
        }
        if facts.restart_policy == "Never" && restart != "NotRequired" {
            let detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            errors.push(FieldError::invalid(path, json!(restart), detail));
        }
    }
    errors
}

fn ports(ports: &[Value], facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
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
        }
        if facts.host_network && host_port != container_port {
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

/// Whether a container may do everything on its node.
pub(super) fn is_privileged(container: &Value) -> bool {
    flag(container, "/securityContext/privileged")
}
