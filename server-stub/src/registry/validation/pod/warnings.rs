//! What works in a pod, or in a template of one, but not as one may think.

use kubewire_client::validation::dns1123_label;
use serde_json::Value;

use crate::field_error::quote;
use crate::registry::quantity::nanos;
use crate::registry::validation::values::{entries, get, items, number, text};
use crate::registry::validation::{storage, volumes};

const NODE_LABELS: [(&str, &str); 8] = [
    (
        "beta.kubernetes.io/arch",
        "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    ),
    (
        "beta.kubernetes.io/os",
        "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
    (
        "node-role.kubernetes.io/master",
        "use \"node-role.kubernetes.io/control-plane\" instead",
    ),
];
const SYSCTLS: &str = "non-functional in v1.11+; use the \"sysctls\" field instead";
const ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", SYSCTLS),
    ("security.alpha.kubernetes.io/unsafe-sysctls", SYSCTLS),
];
const MATCHES_NOTHING: &str = "a null labelSelector results in matching no pod";
const SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
/// Warnings about a new pod.
pub(in crate::registry) fn warnings(pod: &Value) -> Vec<String> {
    let name = text(pod, "/metadata/name");
    let mut warnings = unusual_name(name, "the Pod's hostname");
    warnings.extend(template_warnings(pod, ""));
    warnings
}

/// The warning about a name that cannot be a host's; `used` is what it is a part of.
pub(in crate::registry) fn unusual_name(name: &str, used: &str) -> Vec<String> {
    let wrong = dns1123_label(name);
    let warning = || {
        format!(
            "metadata.name: this is used in {used}, which can result in surprising behavior; a DNS label is recommended: \
             [{}]",
            wrong.join(" ")
        )
    };
    (!wrong.is_empty()).then(warning).into_iter().collect()
}

/// Warnings about a template at a path, with a dot at its end.
pub(in crate::registry) fn template_warnings(template: &Value, path: &str) -> Vec<String> {
    let spec = get(template, "/spec");
    let annotations = get(template, "/metadata/annotations");
    let has = |annotation: &str| annotations.get(annotation).is_some();
    let mut warnings = Vec::new();
    for (label, _) in entries(spec, "/nodeSelector") {
        if let Some((_, message)) = NODE_LABELS.iter().find(|(deprecated, _)| deprecated == label) {
            warnings.push(format!("{path}spec.nodeSelector[{label}]: {message}"));
        }
    }
    for (index, constraint) in items(spec, "/topologySpreadConstraints").iter().enumerate() {
        if get(constraint, "/labelSelector").is_null() {
            let field = format!("{path}spec.topologySpreadConstraints[{index}].labelSelector");
            warnings.push(format!("{field}: {MATCHES_NOTHING}"));
        }
    }
    warnings.extend(null_selectors(get(spec, "/affinity"), &format!("{path}spec.affinity")));
    for (annotation, message) in ANNOTATIONS.iter().filter(|(annotation, _)| has(annotation)) {
        warnings.push(format!("{path}metadata.annotations[{annotation}]: {message}"));
    }
    for (index, volume) in items(spec, "/volumes").iter().enumerate() {
        let present = volumes::OLD
            .iter()
            .filter(|(source, _)| volume.get(source).is_some_and(|source| !source.is_null()));
        warnings.extend(present.map(|(source, message)| format!("{path}spec.volumes[{index}].{source}: {message}")));
    }
    for (index, volume) in items(spec, "/volumes").iter().enumerate() {
        let claim = get(volume, "/ephemeral/volumeClaimTemplate/spec");
        let at = format!("{path}spec.volumes[{index}].ephemeral.volumeClaimTemplate.spec");
        warnings.extend(storage::claim_warnings(claim, &at));
        if get(volume, "/projected").is_object() && !has_sources(volume) {
            let name = quote(text(volume, "/name"));
            warnings.push(format!("volume {name} (Projected) has no sources provided"));
        }
    }
    warnings.extend(repeated(spec, "hostAliases", "ip", path));
    warnings.extend(repeated(spec, "imagePullSecrets", "name", path));
    for (index, secret) in items(spec, "/imagePullSecrets").iter().enumerate() {
        if text(secret, "/name").is_empty() {
            let field = format!("{path}spec.imagePullSecrets[{index}].name");
            warnings.push(format!("{field}: invalid empty name \"\""));
        }
    }
    let annotation = "seccomp.security.alpha.kubernetes.io/pod";
    if has(annotation) && get(spec, "/securityContext/seccompProfile").is_null() {
        warnings.push(format!("{path}metadata.annotations[{annotation}]: {SECCOMP}"));
    }
    for list in ["initContainers", "containers"] {
        for (index, container) in items(spec, &format!("/{list}")).iter().enumerate() {
            warnings.extend(container_warnings(container, &format!("{path}spec.{list}[{index}]")));
            let annotation = format!(
                "container.seccomp.security.alpha.kubernetes.io/{}",
                text(container, "/name")
            );
            if has(&annotation) && get(container, "/securityContext/seccompProfile").is_null() {
                warnings.push(format!("{path}metadata.annotations[{annotation}]: {SECCOMP}"));
            }
        }
    }
    warnings.extend(port_warnings(spec, path));
    if number(spec, "/terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        let message = "must be >= 0; negative values are invalid and will be treated as 1";
        warnings.push(format!("{path}spec.terminationGracePeriodSeconds: {message}"));
    }
    warnings
}

fn has_sources(volume: &Value) -> bool {
    let is_one = |source: &Value| entries(source, "").any(|(_, source)| !source.is_null());
    items(volume, "/projected/sources").iter().all(is_one) && !items(volume, "/projected/sources").is_empty()
}

/// Terms of pod affinity that match no pod.
fn null_selectors(affinity: &Value, path: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (when, term) in [
            ("preferredDuringSchedulingIgnoredDuringExecution", "podAffinityTerm."),
            ("requiredDuringSchedulingIgnoredDuringExecution", ""),
        ] {
            for (index, rule) in items(affinity, &format!("/{kind}/{when}")).iter().enumerate() {
                let selector = format!("/{}labelSelector", term.replace('.', "/"));
                if get(rule, &selector).is_null() {
                    let field = format!("{path}.{kind}.{when}[{index}].{term}labelSelector");
                    warnings.push(format!("{field}: {MATCHES_NOTHING}"));
                }
            }
        }
    }
    warnings
}

fn repeated(spec: &Value, list: &str, field: &str, path: &str) -> Vec<String> {
    let all = items(spec, &format!("/{list}"));
    let value = |item: &Value| text(item, &format!("/{field}")).to_owned();
    let is_repeated =
        |(index, item): &(usize, &Value)| all.iter().take(*index).any(|other| value(other) == value(item));
    let warning = |(index, item): (usize, &Value)| {
        format!(
            "{path}spec.{list}[{index}].{field}: duplicate {field} {}",
            quote(&value(item))
        )
    };
    all.iter().enumerate().filter(is_repeated).map(warning).collect()
}

fn container_warnings(container: &Value, path: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for side in ["limits", "requests"] {
        for resource in ["memory", "ephemeral-storage"] {
            let amount = get(container, &format!("/resources/{side}")).get(resource);
            let amount = amount.and_then(Value::as_str).unwrap_or_default();
            if nanos(amount).unwrap_or_default() % 1_000_000_000 != 0 {
                let shown = quote(amount);
                warnings.push(format!(
                    "{path}.resources.{side}[{resource}]: fractional byte value {shown} is invalid, must be an integer"
                ));
            }
        }
    }
    for (index, port) in items(container, "/ports").iter().enumerate() {
        let (ip, host) = (text(port, "/hostIP"), number(port, "/hostPort").unwrap_or_default());
        if !ip.is_empty() && host == 0 {
            let (name, protocol) = (text(port, "/name"), text(port, "/protocol"));
            let inside = number(port, "/containerPort").unwrap_or_default();
            warnings.push(format!(
                "{path}.ports[{index}]: hostIP set without hostPort: {{Name:{name} HostPort:0 ContainerPort:{inside} \
                 Protocol:{protocol} HostIP:{ip}}}"
            ));
        }
    }
    let variables = items(container, "/env");
    for (index, variable) in variables.iter().enumerate() {
        let name = text(variable, "/name");
        let earlier = variables.iter().take(index).any(|other| text(other, "/name") == name);
        let (value, reference) = (text(variable, "/value"), format!("$({name})"));
        let extends = get(variable, "/valueFrom").is_null() && value != reference && value.contains(&reference);
        if earlier && !extends {
            warnings.push(format!(
                "{path}.env[{index}]: hides previous definition of {}, which may be dropped when using apply",
                quote(name)
            ));
        }
    }
    warnings
}

/// Ports that stand twice in the containers of a pod.
fn port_warnings(spec: &Value, path: &str) -> Vec<String> {
    let mut all: Vec<(String, &Value)> = Vec::new();
    for list in ["initContainers", "containers"] {
        for (container, ports) in items(spec, &format!("/{list}")).iter().enumerate() {
            for (index, port) in items(ports, "/ports").iter().enumerate() {
                all.push((format!("{path}spec.{list}[{container}].ports[{index}]"), port));
            }
        }
    }
    let mut warnings = Vec::new();
    let host_port = |port: &Value| number(port, "/hostPort").unwrap_or_default();
    for (index, (field, port)) in all.iter().enumerate() {
        let same = |other: &&(String, &Value)| {
            let same_number = number(other.1, "/containerPort") == number(port, "/containerPort");
            same_number && text(other.1, "/protocol") == text(port, "/protocol")
        };
        for (other_field, other) in all.iter().take(index).filter(same) {
            let (ip, other_ip) = (text(port, "/hostIP"), text(other, "/hostIP"));
            let same_host_port = host_port(port) == host_port(other);
            let what = if ip == other_ip && same_host_port {
                "duplicate"
            } else if host_port(port) == 0 || host_port(other) == 0 {
                "overlapping"
            } else if same_host_port && ip.is_empty() != other_ip.is_empty() {
                "dangerously ambiguous"
            } else {
                continue;
            };
            warnings.push(format!("{field}: {what} port definition with {other_field}"));
        }
    }
    for (index, (field, port)) in all.iter().enumerate() {
        let name = text(port, "/name");
        let first = all
            .iter()
            .take(index)
            .find(|(_, other)| !name.is_empty() && text(other, "/name") == name);
        if let Some((other, _)) = first {
            let name = quote(name);
            warnings.push(format!(
                "{field}: duplicate port name {name} with {other}, services and probes that select ports by name will use \
                 {other}"
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods() {
        let pod = json!({
            "metadata": { "name": "a.b", "annotations": { "seccomp.security.alpha.kubernetes.io/pod": "x" } },
            "spec": {
                "nodeSelector": { "beta.kubernetes.io/os": "linux" },
                "volumes": [{ "name": "v", "gitRepo": {} }],
                "containers": [
                    { "name": "a", "env": [{ "name": "E", "value": "1" }, { "name": "E", "value": "2" }],
                      "ports": [{ "containerPort": 80, "protocol": "TCP" }] },
                    { "name": "b", "ports": [{ "containerPort": 80, "protocol": "TCP" }] },
                ],
            },
        });
        let told = warnings(&pod);
        assert!(
            told[0].starts_with("metadata.name: this is used in the Pod's hostname"),
            "{told:?}"
        );
        assert_eq!(
            told[1..],
            [
                "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead",
                "spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+",
                "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the \
                 \"seccompProfile\" field instead",
                "spec.containers[0].env[1]: hides previous definition of \"E\", which may be dropped when using apply",
                "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
            ]
        );
        assert_eq!(
            warnings(&json!({ "metadata": { "name": "fine" } })),
            Vec::<String>::new()
        );
    }
}
