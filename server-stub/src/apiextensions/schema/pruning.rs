//! Pruning: fields that the schema does not declare go (KEP-95).

use serde_json::Value;

use super::{Additional, Schema, member};

impl Schema {
    /// Takes out what is not declared, and returns where it was, sorted.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut pruned = Vec::new();
        prune(self, object, "", &mut pruned);
        pruned.sort();
        pruned
    }
}

fn prune(schema: &Schema, value: &mut Value, path: &str, pruned: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let is_own = |name: &str| schema.embedded_resource && matches!(name, "apiVersion" | "kind" | "metadata");
            let keeps_all = schema.preserves_unknown_fields();
            let keeps_any = keeps_all || schema.additional_schema().is_some();
            members.retain(|name, _| {
                let declared = is_own(name) || keeps_any || schema.properties.contains_key(name);
                if !declared {
                    pruned.push(member(path, name));
                }
                declared
            });
            for (name, value) in members.iter_mut().filter(|(name, _)| !is_own(name)) {
                let below = schema.properties.get(name).or(match &schema.additional_properties {
                    Some(Additional::Schema(schema)) => Some(schema),
                    _ => None,
                });
                if let Some(below) = below {
                    prune(below, value, &member(path, name), pruned);
                }
            }
        }
        Value::Array(items) => {
            let Some(below) = &schema.items else { return };
            for (index, item) in items.iter_mut().enumerate() {
                prune(below, item, &format!("{path}[{index}]"), pruned);
            }
        }
        _ => {}
    }
}
