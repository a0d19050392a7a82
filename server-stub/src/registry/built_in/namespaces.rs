//! Namespaces: they stay until their `spec.finalizers` are gone, which a controller sees to.

use serde_json::json;

use super::rules::{Rules, not_supported};
use crate::registry::strategy::keep;
use crate::registry::validation::metadata::{finalizer_name, label_name};
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
    validate: |namespace| {
        if !get(namespace, "/metadata/resourceVersion").is_null() {
            return Vec::new();
        }
        let finalizers = texts(namespace, "/spec/finalizers").into_iter();
        finalizers
            .flat_map(|name| finalizer_name(name, "spec.finalizers", "spec.finalizers"))
            .collect()
    },
    validate_subresource: |_, new, _| {
        let finalizers = texts(new, "/spec/finalizers").into_iter().enumerate();
        let check = |(index, name)| {
            let field = format!("spec.finalizers[{index}]");
            finalizer_name(name, &field, &field)
        };
        finalizers.flat_map(check).collect()
    },
    precondition_words: Some("Precondition failed"),
    mark_deleted: |namespace| put(namespace, &["status", "phase"], json!("Terminating")),
    // A deletion marks it in any case, and whatever finalizes it lets it go.
    must_stay: |namespace| {
        get(namespace, "/metadata/deletionTimestamp").is_null() || !items(namespace, "/spec/finalizers").is_empty()
    },
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn rules() {
        let with = |finalizer: &str| json!({ "spec": { "finalizers": ["kubernetes", finalizer] } });
        assert_eq!(
            told((NAMESPACE.validate)(&with("nosuch"))),
            [
                "spec.finalizers: Invalid value: \"nosuch\": name is neither a standard finalizer name nor is it fully \
              qualified"
            ]
        );
        assert_eq!(
            told((NAMESPACE.validate_subresource)(
                "finalize",
                &with("nosuch"),
                &with("a.b/c")
            )),
            [
                "spec.finalizers[1]: Invalid value: \"nosuch\": name is neither a standard finalizer name nor is it fully \
              qualified"
            ]
        );
    }

    #[test]
    fn the_phase_follows_from_the_deletion() {
        let at = |phase: &str, deleted: Value| {
            let namespace = json!({ "metadata": { "deletionTimestamp": deleted }, "status": { "phase": phase } });
            told((NAMESPACE.validate_status)(&namespace, &namespace))
        };
        let time = json!("2024-05-01T10:00:00Z");
        assert!(at("Active", Value::Null).is_empty() && at("Terminating", time.clone()).is_empty());
        assert_eq!(
            at("Terminating", Value::Null),
            ["status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"]
        );
        assert_eq!(
            at("Active", time),
            ["status.Phase: Invalid value: \"Active\": may only be 'Terminating' if `deletionTimestamp` is not empty"]
        );
    }
}
