//! Resources that are served in another version than they are stored in, where the shapes differ.
//!
//! Versions of the same shape need no conversion: only their `apiVersion` differs.

mod autoscaling;
mod definitions;
pub(super) mod events;
pub(super) mod read_defaults;

use kubewire_client::Gvk;
use serde_json::{Map, Value};

use super::facts;

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
        ("apps", "v1", "statefulsets") => Some(read_defaults::STATEFUL_SET),
        ("batch", "v1", "jobs") => Some(read_defaults::JOB),
        _ => None,
    }
}

/// A document of a built-in kind as one of another version of it; of any other kind, as it is.
pub(crate) fn convert(document: Value, to: &Gvk) -> Value {
    let of = |gvk: &Gvk| {
        let mut all = facts::resources().iter();
        let facts =
            all.find(|facts| (facts.group, facts.version, facts.kind) == (&*gvk.group, &*gvk.version, &*gvk.kind))?;
        Some(conversion(facts.group, facts.version, facts.plural))
    };
    let text = |field: &str| document[field].as_str().unwrap_or_default();
    let from = Gvk::from_api_version(text("apiVersion"), text("kind"));
    let (Some(own), Some(wanted)) = (of(&from), of(to)) else {
        return document;
    };
    let stored = match own {
        Some(own) => (own.to_storage)(document),
        None => document,
    };
    let mut converted = match wanted {
        Some(wanted) => (wanted.from_storage)(stored),
        None => stored,
    };
    converted["apiVersion"] = to.api_version().into();
    converted
}

/// Gives a field another name.
fn rename(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}
