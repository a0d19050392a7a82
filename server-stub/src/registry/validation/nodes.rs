//! The rules for nodes. Taints are said to be in the metadata, where annotations once had them.

use std::collections::HashSet;

use kubewire_client::validation::{label_value, qualified_name};
use serde_json::{Value, json};

use super::values::{broken, get, items, one_of, text, texts};
use crate::field_error::FieldErrorKind;
use crate::status::FieldError;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// The rules for a node.
pub(in crate::registry) fn node(node: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = HashSet::new();
    for (index, taint) in items(node, "/spec/taints").iter().enumerate() {
        let path = format!("metadata.taints[{index}]");
        let (key, value, effect) = (text(taint, "/key"), text(taint, "/value"), text(taint, "/effect"));
        errors.extend(broken(&format!("{path}.key"), key, qualified_name(key)));
        let wrong = label_value(value);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(
                format!("{path}.value"),
                json!(value),
                wrong.join(";"),
            ));
        }
        errors.extend(match effect {
            "" => Some(FieldError::required(format!("{path}.effect"), "")),
            effect => one_of(&format!("{path}.effect"), effect, &EFFECTS),
        });
        if !seen.insert((key, effect)) {
            let detail = "taints must be unique by key and effect pair";
            let shown = format!(
                "{{\"Key\":{},\"Value\":{},\"Effect\":{},\"TimeAdded\":{}}}",
                json!(key),
                json!(value),
                json!(effect),
                get(taint, "/timeAdded")
            );
            errors.push(FieldError::new(FieldErrorKind::Duplicate(taint.clone()), path, detail).shown_as(shown));
        }
    }
    errors
}

/// The rules for a change of a node.
pub(in crate::registry) fn node_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (new_ranges, old_ranges) = (pod_ranges(new), pod_ranges(old));
    if !old_ranges.is_empty() && new_ranges != old_ranges {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.push(FieldError::forbidden("spec.podCIDRs", detail));
    }
    let provider = |node| text(node, "/spec/providerID");
    let detail = match (provider(old), provider(new)) {
        ("", _) => None,
        (_, "") => Some("field cannot be cleared once set"),
        (old, new) => (old != new).then_some("field cannot be modified once set"),
    };
    errors.extend(detail.map(|detail| FieldError::invalid("spec.providerID", Value::Null, detail)));
    errors
}

/// The addresses of the node's pods: the one range counts where it is not the first of them.
fn pod_ranges(node: &Value) -> Vec<&str> {
    let ranges = texts(node, "/spec/podCIDRs");
    match text(node, "/spec/podCIDR") {
        "" => ranges,
        first if ranges.first() == Some(&first) => ranges,
        only => vec![only],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn taints() {
        let taint = json!({ "key": "k", "effect": "NoSchedule" });
        assert!(node(&json!({ "spec": { "taints": [taint] } })).is_empty());
        let wrong = json!({ "spec": { "taints": [taint, taint, { "key": "k", "effect": "Nosuch" }, { "key": "a" }] } });
        assert_eq!(
            told(node(&wrong)),
            [
                "metadata.taints[1]: Duplicate value: {\"Key\":\"k\",\"Value\":\"\",\"Effect\":\"NoSchedule\",\
                 \"TimeAdded\":null}: taints must be unique by key and effect pair",
                "metadata.taints[2].effect: Unsupported value: \"Nosuch\": supported values: \"NoSchedule\", \
                 \"PreferNoSchedule\", \"NoExecute\"",
                "metadata.taints[3].effect: Required value",
            ]
        );
    }

    #[test]
    fn what_stays() {
        let old = json!({ "spec": { "podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"], "providerID": "a" } });
        assert!(node_update(&old, &old).is_empty());
        let new = json!({ "spec": { "podCIDR": "10.2.0.0/24", "podCIDRs": ["10.1.0.0/24"] } });
        assert_eq!(
            told(node_update(&new, &old)),
            [
                "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
                "spec.providerID: Invalid value: null: field cannot be cleared once set",
            ]
        );
        assert!(node_update(&old, &json!({ "spec": {} })).is_empty());
    }
}
