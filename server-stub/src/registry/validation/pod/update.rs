//! What an update of a pod may change.

use kubewire_client::validation::{dns1123_subdomain, qualified_name};
use serde_json::{Value, json};

use crate::registry::validation::difference::difference;
use crate::registry::validation::ip;
use crate::registry::validation::values::{broken, entries, get, immutable, items, number, put, text};
use crate::status::FieldError;

const ONLY: &str = "pod updates may not change fields other than \
                    `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                    `spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` \
                    (allow it to be set to 1 if it was previously negative)";

/// The rules for a change of a pod's spec.
pub(in crate::registry) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for list in ["containers", "initContainers"] {
        let (new, old) = (
            items(new, &format!("/spec/{list}")),
            items(old, &format!("/spec/{list}")),
        );
        if new.len() != old.len() {
            let field = format!("spec.{list}");
            errors.push(FieldError::forbidden(
                field,
                "pod updates may not add or remove containers",
            ));
        }
    }
    if !errors.is_empty() {
        return errors;
    }
    errors.extend(active_deadline(new, old));
    errors.extend(tolerations(new, old));
    let new_gates = new_gates(new, old);
    let gates_are_fewer = new_gates.is_empty();
    errors.extend(new_gates);
    let mut allowed = get(new, "/spec").clone();
    let old_spec = get(old, "/spec");
    for list in ["containers", "initContainers"] {
        for (index, container) in items(old, &format!("/spec/{list}")).iter().enumerate() {
            if let Some(new) = allowed.pointer_mut(&format!("/{list}/{index}")) {
                put(new, &["image"], get(container, "/image").clone());
            }
        }
    }
    for field in ["activeDeadlineSeconds", "tolerations"] {
        same(&mut allowed, old_spec, field);
    }
    if number(old, "/spec/terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0)
        && number(new, "/spec/terminationGracePeriodSeconds") == Some(1)
    {
        same(&mut allowed, old_spec, "terminationGracePeriodSeconds");
    }
    if gates_are_fewer {
        same(&mut allowed, old_spec, "schedulingGates");
    }
    if allowed != *old_spec {
        let difference = difference("PodSpec", old_spec, &allowed);
        errors.push(FieldError::forbidden("spec", format!("{ONLY}\n{difference}")));
    }
    errors
}

/// The rules for a change of a pod's status.
pub(in crate::registry) fn validate_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let node = text(new, "/status/nominatedNodeName");
    if !node.is_empty() {
        errors.extend(broken("status.nominatedNodeName", node, dns1123_subdomain(node)));
    }
    for (index, condition) in items(new, "/status/conditions").iter().enumerate() {
        let kind = text(condition, "/type");
        // Upstream's spelling.
        let field = format!("status.conditions[{index}].Type");
        errors.extend(broken(&field, kind, qualified_name(kind)));
    }
    errors.extend(addresses_of_host(new));
    let addresses: Vec<&str> = items(new, "/status/podIPs").iter().map(|ip| text(ip, "/ip")).collect();
    for (index, address) in addresses.iter().enumerate() {
        errors.extend(ip::address(&format!("status.podIPs[{index}]"), address));
    }
    let families: Vec<_> = addresses.iter().map(|address| ip::family(address)).collect();
    let repeated = families
        .iter()
        .enumerate()
        .any(|(index, family)| families[..index].contains(family));
    if errors.is_empty() && repeated {
        let shown: Vec<String> = addresses
            .iter()
            .map(|address| format!("{{\"IP\":{}}}", json!(address)))
            .collect();
        let detail = "may specify no more than one IP for each IP family";
        let error = FieldError::invalid("status.podIPs", Value::Null, detail);
        errors.push(error.shown_as(format!("[{}]", shown.join(","))));
    }
    errors.extend(immutable(new, old, "/status/qosClass"));
    errors
}

/// The addresses of the node, of which the first stands in a field of its own, too.
fn addresses_of_host(pod: &Value) -> Vec<FieldError> {
    let addresses: Vec<&str> = items(pod, "/status/hostIPs").iter().map(|ip| text(ip, "/ip")).collect();
    let mut errors = Vec::new();
    if let Some(first) = addresses.first().filter(|first| **first != text(pod, "/status/hostIP")) {
        let detail = "must be equal to `hostIP`";
        errors.push(FieldError::invalid("status.hostIPs[0].ip", json!(first), detail));
    }
    for (index, address) in addresses.into_iter().enumerate() {
        errors.extend(ip::address(&format!("status.hostIPs[{index}]"), address));
    }
    errors
}

/// The rules for a change of a pod's ephemeral containers: they only become more (KEP-277).
pub(in crate::registry) fn validate_ephemeral_containers(new: &Value, old: &Value) -> Vec<FieldError> {
    const FIELD: &str = "spec.ephemeralContainers";
    if !get(new, "/metadata/annotations/kubernetes.io~1config.mirror").is_null() {
        return vec![FieldError::forbidden(
            "[]",
            "static pods do not support ephemeral containers",
        )];
    }
    let mut errors = super::validate_spec(get(new, "/spec"), "spec", Some(new));
    for container in items(old, "/spec/ephemeralContainers") {
        let name = text(container, "/name");
        let mut same_name = items(new, "/spec/ephemeralContainers").iter();
        match same_name.find(|other| text(other, "/name") == name) {
            None => {
                let detail = format!("existing ephemeral containers {name:?} may not be removed\n");
                errors.push(FieldError::forbidden(FIELD, detail));
            }
            Some(other) if other != container => {
                let difference = difference("EphemeralContainer", container, other);
                let detail = format!("existing ephemeral containers {name:?} may not be changed\n{difference}");
                errors.push(FieldError::forbidden(FIELD, detail));
            }
            Some(_) => {}
        }
    }
    errors
}

/// The rules for other resources of a running pod (KEP-1287).
pub(in crate::registry) fn validate_resize(new: &Value, old: &Value) -> Vec<FieldError> {
    if text(new, "/spec/os/name") == "windows" {
        return vec![FieldError::forbidden("[]", "windows pods cannot be resized")];
    }
    let mut errors = super::validate_spec(get(new, "/spec"), "spec", Some(new));
    let class = super::qos_class(new);
    if class != text(old, "/status/qosClass") {
        let detail = "Pod QOS Class may not change as a result of resizing";
        let shown = get(new, "/status/qosClass").clone();
        errors.push(FieldError::invalid("spec", shown, detail));
    }
    let mut only_cpu_and_memory = true;
    for list in ["containers", "initContainers"] {
        let pointer = format!("/spec/{list}");
        let (now, before) = (items(new, &pointer), items(old, &pointer));
        if now.len() != before.len() {
            let detail = format!("{list} may not be added or removed on resize");
            errors.push(FieldError::forbidden(format!("spec.{list}"), detail));
            return errors;
        }
        for (index, (now, before)) in now.iter().zip(before).enumerate() {
            let path = format!("spec.{list}[{index}]");
            if text(now, "/name") != text(before, "/name") {
                let detail = "containers may not be renamed or reordered on resize";
                errors.push(FieldError::forbidden(format!("{path}.name"), detail));
                continue;
            }
            for side in ["requests", "limits"] {
                let of = |container| entries(container, &format!("/resources/{side}"));
                let gone = of(before).any(|(name, _)| !of(now).any(|(other, _)| other == name));
                let other = of(now).any(|(name, value)| {
                    !["cpu", "memory"].contains(&name.as_str())
                        && !of(before).any(|(old_name, old)| (old_name, old) == (name, value))
                });
                if gone {
                    let detail = format!("resource {side} cannot be removed");
                    errors.push(FieldError::forbidden(format!("{path}.resources.{side}"), detail));
                }
                only_cpu_and_memory &= !other;
            }
            only_cpu_and_memory &= get(now, "/resizePolicy") == get(before, "/resizePolicy");
        }
    }
    if !only_cpu_and_memory {
        let detail = "only cpu and memory resources are mutable";
        errors.push(FieldError::forbidden("spec", detail));
    }
    errors
}

fn same(spec: &mut Value, old: &Value, field: &str) {
    let value = old.get(field).cloned();
    let Some(fields) = spec.as_object_mut() else {
        return;
    };
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
}

/// The deadline can be set or brought forward.
fn active_deadline(new: &Value, old: &Value) -> Option<FieldError> {
    const FIELD: &str = "spec.activeDeadlineSeconds";
    let (new, old) = (
        number(new, "/spec/activeDeadlineSeconds"),
        number(old, "/spec/activeDeadlineSeconds"),
    );
    match (new, old) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            let detail = format!("must be between 0 and {}, inclusive", i32::MAX);
            Some(FieldError::invalid(FIELD, json!(new), detail))
        }
        (Some(new), Some(old)) if new > old => {
            let detail = "must be less than or equal to previous value";
            Some(FieldError::invalid(FIELD, json!(new), detail))
        }
        (None, Some(_)) => Some(FieldError::invalid(
            FIELD,
            Value::Null,
            "must not update from a positive integer to nil value",
        )),
        _ => None,
    }
}

/// Tolerations can be added, not removed.
fn tolerations(new: &Value, old: &Value) -> Option<FieldError> {
    let bare = |toleration: &Value| {
        let mut bare = toleration.clone();
        if let Some(fields) = bare.as_object_mut() {
            fields.remove("tolerationSeconds");
        }
        bare
    };
    let new_items: Vec<Value> = items(new, "/spec/tolerations").iter().map(bare).collect();
    let missing = items(old, "/spec/tolerations")
        .iter()
        .any(|old| !new_items.contains(&bare(old)));
    missing.then(|| {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        FieldError::forbidden("spec.tolerations", detail)
    })
}

fn new_gates(new: &Value, old: &Value) -> Vec<FieldError> {
    let known: Vec<&str> = items(old, "/spec/schedulingGates")
        .iter()
        .map(|gate| text(gate, "/name"))
        .collect();
    let gates = items(new, "/spec/schedulingGates").iter().enumerate();
    gates
        .filter(|(_, gate)| !known.contains(&text(gate, "/name")))
        .map(|(index, gate)| {
            let field = format!("spec.schedulingGates[{index}].name");
            let name = text(gate, "/name");
            FieldError::forbidden(
                field,
                format!("only deletion is allowed, but found new scheduling gate '{name}'"),
            )
        })
        .collect()
}
