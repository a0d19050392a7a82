//! CustomResourceDefinitions as a resource: defaults, forced values, deletion. The rules are in [`validation`].

mod names;
pub(crate) mod validation;
mod versions;

use serde_json::{Value, json};

use super::{
    condition,
    schema::{self, Schema},
};
use crate::registry::strategy::Update;
use crate::registry::validation::values::{get, items, put, text};

/// Keeps a definition until its objects are gone.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Fills in names, and how objects are converted.
pub(crate) fn default(definition: &mut Value) {
    let kind = text(definition, "/spec/names/kind").to_owned();
    if !kind.is_empty() {
        if text(definition, "/spec/names/singular").is_empty() {
            put(definition, &["spec", "names", "singular"], kind.to_lowercase().into());
        }
        if text(definition, "/spec/names/listKind").is_empty() {
            put(definition, &["spec", "names", "listKind"], format!("{kind}List").into());
        }
    }
    if get(definition, "/spec/conversion").is_null() && get(definition, "/spec").is_object() {
        put(definition, &["spec", "conversion"], json!({ "strategy": "None" }));
    }
    let service = get(definition, "/spec/conversion/webhook/clientConfig/service");
    if service.is_object() && service["port"].is_null() {
        let port = ["spec", "conversion", "webhook", "clientConfig", "service", "port"];
        put(definition, &port, json!(443));
    }
}

/// A new definition has no status but the version in which its objects will be stored.
pub(crate) fn create(definition: &mut Value) {
    put(
        definition,
        &["status"],
        json!({ "conditions": null, "acceptedNames": { "plural": "", "kind": "" }, "storedVersions": [] }),
    );
    remember_storage_version(definition);
}

/// Objects may be stored in each version that ever was the storage version.
pub(crate) fn update(change: &mut Update<'_>) {
    if change.subresource.is_none() {
        remember_storage_version(change.new);
    }
}

fn remember_storage_version(definition: &mut Value) {
    let versions = items(definition, "/spec/versions");
    let Some(storage) = versions.iter().find(|version| version["storage"] == true) else {
        return;
    };
    let name = storage["name"].clone();
    let mut stored = items(definition, "/status/storedVersions").to_vec();
    if !stored.contains(&name) {
        stored.push(name);
        put(definition, &["status", "storedVersions"], Value::Array(stored));
    }
}

/// Says that the objects are about to go.
pub(crate) fn mark_deleted(definition: &mut Value) {
    let mut finalizers = items(definition, "/metadata/finalizers").to_vec();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        finalizers.push(FINALIZER.into());
        put(definition, &["metadata", "finalizers"], Value::Array(finalizers));
    }
    let now = text(definition, "/metadata/deletionTimestamp").to_owned();
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    set_condition(
        definition,
        ("Terminating", "True", "InstanceDeletionPending", message),
        &now,
    );
}

/// A definition is never gone at once: see [`FINALIZER`].
pub(crate) fn must_stay(definition: &Value) -> bool {
    text(definition, "/metadata/deletionTimestamp").is_empty()
}

/// Sets a condition: its type, status, reason and message. The time is that of the last change of the status.
pub(crate) fn set_condition(
    definition: &mut Value,
    (kind, status, reason, message): (&str, &str, &str, &str),
    now: &str,
) {
    let known = condition(definition, kind);
    let since = known.filter(|known| known["status"] == status);
    let since = since
        .and_then(|known| known["lastTransitionTime"].as_str())
        .unwrap_or(now);
    let condition = json!({
        "type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message,
    });
    let mut conditions = items(definition, "/status/conditions").to_vec();
    match conditions.iter_mut().find(|known| known["type"] == kind) {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
    put(definition, &["status", "conditions"], Value::Array(conditions));
}

/// What clients are told of a definition that is fine.
pub(crate) fn warnings(definition: &Value) -> Vec<String> {
    let versions = items(definition, "/spec/versions");
    let has_rules = |version: &&Value| Schema::parse(&version["schema"]["openAPIV3Schema"]).has_rules_inside();
    let of_version = |version: &Value| {
        let name = version["name"].as_str().unwrap_or_default();
        format!("spec.versions[{name}].schema: x-kubernetes-validations are not enforced by this server")
    };
    let rules = versions.iter().filter(has_rules).map(of_version);
    let mut schemas: Vec<String> = versions
        .iter()
        .flat_map(|version| schema::warnings(&version["schema"]["openAPIV3Schema"]))
        .collect();
    schemas.sort();
    schemas.dedup();
    schemas.into_iter().chain(rules).collect()
}
