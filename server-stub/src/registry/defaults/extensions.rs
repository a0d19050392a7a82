//! Conditional defaults of the smaller groups.

use serde_json::{Map, Value, json};

use super::conditional::{object, set_absent, set_unset, text};

type Members = Map<String, Value>;

/// A policy concerns incoming traffic, and outgoing where it has rules for it.
pub(super) fn network_policy(members: &mut Members) {
    let has = |name: &str| {
        members
            .get(name)
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
    };
    if !has("policyTypes") {
        let types = if has("egress") {
            json!(["Ingress", "Egress"])
        } else {
            json!(["Ingress"])
        };
        members.insert("policyTypes".to_owned(), types);
    }
}

/// Users and groups belong to the RBAC group, service accounts to the core group.
pub(super) fn subject(members: &mut Members) {
    if matches!(text(members, "kind"), "User" | "Group") {
        set_unset(members, "apiGroup", "rbac.authorization.k8s.io");
    }
}

/// Names that follow from the kind, no conversion, and the storage version as the first stored one.
pub(super) fn custom_resource_definition(members: &mut Members) {
    let Some(spec) = object(members, "spec") else { return };
    set_absent(spec, "conversion", json!({}));
    let versions = spec.get("versions").and_then(Value::as_array).into_iter().flatten();
    let stored: Vec<Value> = versions
        .filter(|version| version.get("storage").and_then(Value::as_bool) == Some(true))
        .filter_map(|version| version.get("name").cloned())
        .collect();
    if let Some(names) = object(spec, "names") {
        let kind = text(names, "kind").to_owned();
        if !kind.is_empty() {
            set_unset(names, "singular", kind.to_lowercase());
            set_unset(names, "listKind", format!("{kind}List"));
        }
    }
    if let Some(status) = object(members, "status")
        && status
            .get("storedVersions")
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
    {
        status.insert("storedVersions".to_owned(), stored.into());
    }
}
