//! The names of resources such as `cpu` and `example.com/gpu`.

use kubewire_client::validation::qualified_name;
use serde_json::json;

use super::values::broken;
use crate::status::FieldError;

const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const MEASURED: [&str; 11] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];

/// The rules for the name of any resource.
pub(super) fn validate(name: &str, field: &str) -> Vec<FieldError> {
    let errors = broken(field, name, qualified_name(name));
    if errors.is_empty() && !name.contains('/') && !is_standard(name) {
        let detail = "must be a standard resource type or fully qualified";
        return vec![FieldError::invalid(field, json!(name), detail)];
    }
    errors
}

/// The rules for the name of a resource that containers have.
pub(super) fn of_container(name: &str, field: &str) -> Vec<FieldError> {
    let mut errors = validate(name, field);
    let standard = ["cpu", "memory", "ephemeral-storage"].contains(&name) || is_huge(name);
    if !name.contains('/') && !standard {
        let detail = "must be a standard resource for containers";
        errors.push(FieldError::invalid(field, json!(name), detail));
    } else if name.contains('/') && !is_native(name) && !is_extended(name) {
        let detail = "doesn't follow extended resource name standard";
        errors.push(FieldError::invalid(field, json!(name), detail));
    }
    errors
}

/// The rules for the name of a resource that a quota limits.
pub(super) fn of_quota(name: &str, field: &str) -> Vec<FieldError> {
    let mut errors = validate(name, field);
    if !name.contains('/') && (!is_standard(name) || name == "storage") {
        let detail = "must be a standard resource for quota";
        errors.push(FieldError::invalid(field, json!(name), detail));
    }
    errors
}

/// Whether it is a number of objects.
pub(super) fn is_object_count(name: &str) -> bool {
    COUNTED.contains(&name)
}

/// Whether only whole numbers of it exist.
pub(super) fn is_counted(name: &str) -> bool {
    is_object_count(name) || is_extended(name)
}

/// Whether it is a number of large pages of memory.
pub(super) fn is_huge(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether Kubernetes itself knows it.
pub(super) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_standard(name: &str) -> bool {
    is_object_count(name) || MEASURED.contains(&name) || is_huge(name) || name.starts_with("requests.hugepages-")
}

fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && qualified_name(&format!("requests.{name}")).is_empty()
}
