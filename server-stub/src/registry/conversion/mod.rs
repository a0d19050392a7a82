//! Resources that are served in another version than they are stored in, where the shapes differ.
//!
//! Versions of the same shape need no conversion: only their `apiVersion` differs.

mod autoscaling;
mod definitions;
pub(super) mod events;
mod read_defaults;

use serde_json::{Map, Value};

/// Turns a document of the stored version into one of the served version, and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversion {
    pub(crate) from_storage: fn(Value) -> Value,
    pub(crate) to_storage: fn(Value) -> Value,
}

/// The conversion of a resource in this version, where it needs one.
pub(crate) fn conversion(group: &str, version: &str, resource: &str) -> Option<Conversion> {
    match (group, version, resource) {
        ("events.k8s.io", "v1", "events") => Some(events::CONVERSION),
        ("autoscaling", "v1", "horizontalpodautoscalers") => Some(autoscaling::CONVERSION),
        ("apiextensions.k8s.io", "v1", "customresourcedefinitions") => Some(definitions::CONVERSION),
        ("", "v1", "persistentvolumeclaims") => Some(read_defaults::CLAIM),
        ("batch", "v1", "jobs") => Some(read_defaults::JOB),
        _ => None,
    }
}

/// Gives a field another name.
fn rename(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}
