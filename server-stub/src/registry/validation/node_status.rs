//! The rules for the status of nodes.

use serde_json::{Value, json};

use super::values::{entries, items, ordered};
use crate::registry::quantity::nanos;
use crate::status::FieldError;

/// The rules for a node's status.
pub(in crate::registry) fn status(node: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for list in ["capacity", "allocatable"] {
        for (name, amount) in entries(node, &format!("/status/{list}")) {
            if amount.as_str().and_then(nanos).is_some_and(|amount| amount < 0) {
                let field = format!("status.{list}.{name}");
                let detail = "must be greater than or equal to 0";
                errors.push(FieldError::invalid(field, amount.clone(), detail));
            }
        }
    }
    let addresses = items(node, "/status/addresses");
    for (index, address) in addresses.iter().enumerate() {
        if addresses.iter().take(index).any(|earlier| earlier == address) {
            let shown = json!({ "Type": address["type"], "Address": address["address"] });
            let error = FieldError::duplicate(format!("status.addresses[{index}]"), Value::Null);
            errors.push(error.shown_as(ordered(&shown, &["Type", "Address"])));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn of_the_status() {
        let address = json!({ "type": "InternalIP", "address": "a" });
        let node =
            json!({ "status": { "capacity": { "cpu": "-4", "memory": "1Gi" }, "addresses": [address, address] } });
        assert_eq!(
            told(status(&node)),
            [
                "status.capacity.cpu: Invalid value: \"-4\": must be greater than or equal to 0",
                "status.addresses[1]: Duplicate value: {\"Type\":\"InternalIP\",\"Address\":\"a\"}",
            ]
        );
    }
}
