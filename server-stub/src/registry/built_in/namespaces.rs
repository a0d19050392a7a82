//! Namespaces: they stay until their `spec.finalizers` are gone, which a controller sees to.

use serde_json::json;

use super::rules::{Rules, not_supported};
use crate::registry::strategy::keep;
use crate::registry::validation::metadata::label_name;
use crate::registry::validation::values::{get, items, put, text, texts};
use crate::status::{ApiError, FieldError, GroupResource};

/// These always exist.
const ETERNAL: [&str; 3] = ["default", "kube-public", "kube-system"];

pub(super) const NAMESPACE: Rules = Rules {
    create: |namespace, _| {
        let mut finalizers = texts(namespace, "/spec/finalizers");
        if !finalizers.contains(&"kubernetes") {
            finalizers.push("kubernetes");
        }
        let finalizers = json!(finalizers);
        put(namespace, &["spec", "finalizers"], finalizers);
        put(namespace, &["status"], json!({ "phase": "Active" }));
    },
    update: |change| match change.subresource {
        Some("finalize") => {
            let finalizers = get(change.new, "/spec/finalizers").clone();
            keep(change.new, Some(change.old), "status");
            put(change.new, &["spec", "finalizers"], finalizers);
        }
        _ => keep(change.new, Some(change.old), "spec"),
    },
    validate_status: |new, old| {
        let terminates = get(old, "/metadata/deletionTimestamp").is_string();
        let (wanted, emptiness) = match terminates {
            true => ("Terminating", "not empty"),
            false => ("Active", "empty"),
        };
        let phase = text(new, "/status/phase");
        let detail = format!("may only be '{wanted}' if `deletionTimestamp` is {emptiness}");
        let error = || FieldError::invalid("status.Phase", json!(phase), detail);
        (phase != wanted).then(error).into_iter().collect()
    },
    name: label_name,
    mark_deleted: |namespace| put(namespace, &["status", "phase"], json!("Terminating")),
    must_stay: |namespace| !items(namespace, "/spec/finalizers").is_empty(),
    returns_deleted_object: true,
    check_delete: |namespace| {
        let name = text(namespace, "/metadata/name");
        match ETERNAL.contains(&name) {
            true => {
                let namespaces = GroupResource::new("", "namespaces");
                Err(ApiError::forbidden(
                    &namespaces,
                    name,
                    "this namespace may not be deleted",
                ))
            }
            false => Ok(()),
        }
    },
    unknown_field: not_supported,
    ..Rules::PLAIN
};
