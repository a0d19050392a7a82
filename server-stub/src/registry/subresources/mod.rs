//! Subresources with a kind of their own.

pub(crate) mod binding;
pub(crate) mod eviction;
pub(crate) mod scale;
#[cfg(test)]
mod tests;
pub(crate) mod token;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::seconds;
use super::validation::values::{items, put, text};

/// Sets a condition in a pod's status; its time is that of the last change of its state.
fn set_condition(object: &mut Value, now: Timestamp, condition: Value) {
    let mut all = items(object, "/status/conditions").to_vec();
    let same_type = |other: &Value| text(other, "/type") == text(&condition, "/type");
    let place = all.iter().position(same_type);
    let unchanged = place.and_then(|place| all.get(place)).filter(|old| {
        // A condition that says the same keeps its time.
        text(old, "/status") == text(&condition, "/status")
    });
    let time = unchanged.and_then(|old| old.get("lastTransitionTime").cloned());
    let mut condition = condition;
    put(
        &mut condition,
        &["lastTransitionTime"],
        time.unwrap_or_else(|| json!(seconds(now))),
    );
    match place.and_then(|place| all.get_mut(place)) {
        Some(old) => *old = condition,
        None => all.push(condition),
    }
    put(object, &["status", "conditions"], Value::Array(all));
}
