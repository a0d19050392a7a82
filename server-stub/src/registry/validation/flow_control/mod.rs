//! The rules for flow schemas and priority levels, and the default ones.

mod levels;
mod schemas;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::values::{entries, get, items, text};
use crate::status::FieldError;

pub(crate) use levels::priority_level;
pub(crate) use schemas::flow_schema;

/// The specs that kube-apiserver gives its own objects, by resource and name.
static DEFAULTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("defaults.json")).unwrap_or_default());

/// The default objects of a resource: their names and specs.
pub(crate) fn default_specs(resource: &str) -> impl Iterator<Item = (&'static String, &'static Value)> + use<> {
    entries(get(&DEFAULTS, &format!("/{resource}")), "")
}

/// The default spec of an object that must be as it is.
fn fixed_spec(resource: &str, name: &str) -> Option<&'static Value> {
    matches!(name, "exempt" | "catch-all").then(|| get(&DEFAULTS, &format!("/{resource}/{name}")))
}

/// The rules for a status.
pub(crate) fn status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let conditions = items(new, "/status/conditions");
    for (index, condition) in conditions.iter().enumerate() {
        let field = format!("status.conditions[{index}].type");
        let kind = text(condition, "/type");
        let earlier = conditions.iter().take(index).any(|other| text(other, "/type") == kind);
        if earlier {
            errors.push(FieldError::duplicate(field.clone(), json!(kind)));
        }
        if kind.is_empty() {
            errors.push(FieldError::required(field, ""));
        }
    }
    errors
}
