//! Volumes and claims.

use serde_json::{Value, json};

use super::rules::Rules;
use crate::registry::store::seconds;
use crate::registry::validation::storage;
use crate::registry::validation::values::{get, put, remove, texts};

pub(super) const PERSISTENT_VOLUME: Rules = Rules {
    create: |volume, context| {
        add_finalizer(volume, "kubernetes.io/pv-protection");
        let now = seconds(context.clock.now());
        put(
            volume,
            &["status"],
            json!({ "phase": "Pending", "lastPhaseTransitionTime": now }),
        );
    },
    warnings: |new, _| storage::volume_warnings(new),
    validate: storage::volume,
    validate_update: storage::volume_update,
    returns_deleted_object: true,
    ..Rules::PLAIN
};

pub(super) const PERSISTENT_VOLUME_CLAIM: Rules = Rules {
    create: |claim, _| {
        add_finalizer(claim, "kubernetes.io/pvc-protection");
        same_sources(claim);
        put(claim, &["status"], json!({ "phase": "Pending" }));
    },
    warnings: |claim, _| storage::claim_warnings(get(claim, "/spec"), "spec"),
    validate: storage::claim,
    validate_update: storage::claim_update,
    returns_deleted_object: true,
    ..Rules::PLAIN
};

pub(super) const STORAGE_CLASS: Rules = Rules {
    validate: storage::class,
    validate_update: storage::class_update,
    returns_deleted_object: true,
    ..Rules::PLAIN
};

/// The two fields for what a volume starts with say the same.
fn same_sources(claim: &mut Value) {
    let (source, reference) = (
        get(claim, "/spec/dataSource").clone(),
        get(claim, "/spec/dataSourceRef").clone(),
    );
    remove(claim, "/spec/dataSourceRef", "namespace");
    match (source.is_null(), reference.is_null()) {
        (false, true) => put(claim, &["spec", "dataSourceRef"], source),
        (true, false) => {
            put(claim, &["spec", "dataSource"], reference);
            remove(claim, "/spec/dataSource", "namespace");
        }
        _ => {}
    }
}

/// What the admission plugin StorageObjectInUseProtection does.
fn add_finalizer(object: &mut Value, finalizer: &str) {
    let mut finalizers = texts(object, "/metadata/finalizers");
    if !finalizers.contains(&finalizer) {
        finalizers.push(finalizer);
        let finalizers = json!(finalizers);
        put(object, &["metadata", "finalizers"], finalizers);
    }
}
