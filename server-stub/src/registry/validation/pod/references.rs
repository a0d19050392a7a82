//! References to fields and resources of the pod, for variables and files.

use kubewire_client::validation::qualified_name;
use serde_json::{Value, json};

use crate::registry::quantity::nanos;
use crate::registry::validation::values::{broken, one_of, text};
use crate::status::FieldError;

/// Where a reference stands.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::registry::validation) enum Place {
    /// The variable of a container.
    Variable,
    /// A file in a volume.
    Volume,
}

const IN_VARIABLES: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const IN_VOLUMES: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// Those that a pod has, but which cannot be referred to.
const OTHERS: [&str; 3] = ["spec.restartPolicy", "spec.schedulerName", "status.phase"];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const SIZES: &str = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";

/// The rules for a reference to a field.
pub(in crate::registry::validation) fn field(reference: &Value, path: &str, place: Place) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let (version, wanted) = (text(reference, "/apiVersion"), text(reference, "/fieldPath"));
    for (field, value) in [("apiVersion", version), ("fieldPath", wanted)] {
        if value.is_empty() {
            return vec![FieldError::required(at(field), "")];
        }
    }
    let not_converted = |reason: String| {
        let detail = format!("error converting fieldPath: {reason}");
        vec![FieldError::invalid(at("fieldPath"), json!(wanted), detail)]
    };
    if version != "v1" {
        return not_converted(format!("unsupported pod version: {version}"));
    }
    let supported: &[&str] = match place {
        Place::Variable => &IN_VARIABLES,
        Place::Volume => &IN_VOLUMES,
    };
    match subscript(wanted) {
        Some(("metadata.annotations", key)) => broken(path, key, qualified_name(&key.to_lowercase())),
        Some(("metadata.labels", key)) => broken(path, key, qualified_name(key)),
        Some(_) => not_converted(format!("field label does not support subscript: {wanted}")),
        None => {
            let wanted = if wanted == "spec.host" { "spec.nodeName" } else { wanted };
            let known = [&IN_VARIABLES[..], &IN_VOLUMES, &OTHERS]
                .iter()
                .any(|fields| fields.contains(&wanted));
            match known {
                true => one_of(&at("fieldPath"), wanted, supported).into_iter().collect(),
                false => not_converted(format!("field label not supported: {wanted}")),
            }
        }
    }
}

/// `metadata.labels` and `a` of `metadata.labels['a']`.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (path, key) = path.strip_suffix("']")?.split_once("['")?;
    (!path.is_empty()).then_some((path, key))
}

/// The rules for a reference to a resource of a container.
pub(in crate::registry::validation) fn resource_field(reference: &Value, path: &str, place: Place) -> Vec<FieldError> {
    let resource = text(reference, "/resource");
    let mut errors = Vec::new();
    if place == Place::Volume && text(reference, "/containerName").is_empty() {
        errors.push(FieldError::required(format!("{path}.containerName"), ""));
    } else if resource.is_empty() {
        errors.push(FieldError::required(format!("{path}.resource"), ""));
    } else if !is_huge(resource) {
        errors.extend(one_of(&format!("{path}.resource"), resource, &RESOURCES));
    }
    errors.extend(divisor(resource, text(reference, "/divisor"), path));
    errors
}

fn is_huge(resource: &str) -> bool {
    ["limits.hugepages-", "requests.hugepages-"]
        .iter()
        .any(|prefix| resource.starts_with(prefix))
}

fn divisor(resource: &str, divisor: &str, path: &str) -> Option<FieldError> {
    let kind = resource
        .strip_prefix("limits.")
        .or_else(|| resource.strip_prefix("requests."))?;
    let (units, detail): (&[&str], String) = match kind {
        "cpu" => (
            &["0", "1m", "1"],
            "only divisor's values 1m and 1 are supported with the cpu resource".to_owned(),
        ),
        kind => {
            let named = match kind {
                "memory" => "memory",
                "ephemeral-storage" => "local ephemeral storage",
                _ if is_huge(resource) => "hugepages",
                _ => return None,
            };
            let units = &[
                "0", "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
            ];
            (
                units,
                format!("only divisor's values {SIZES} are supported with the {named} resource"),
            )
        }
    };
    let same = |unit: &&str| nanos(unit) == nanos(divisor);
    let known = divisor.is_empty() || units.iter().any(same);
    (!known).then(|| FieldError::invalid(format!("{path}.divisor"), json!(resource), detail))
}
