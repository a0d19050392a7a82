//! `events.k8s.io/v1` events are stored as `v1` events: the same facts under other names.

use serde_json::Value;

use super::{Conversion, rename};

pub(super) const CONVERSION: Conversion = Conversion {
    from_storage,
    to_storage,
};

/// Name in `v1`, name in `events.k8s.io/v1`.
pub(in crate::registry) const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn from_storage(mut event: Value) -> Value {
    if let Value::Object(fields) = &mut event {
        fields.insert("apiVersion".to_owned(), "events.k8s.io/v1".into());
        for (stored, served) in NAMES {
            rename(fields, stored, served);
        }
    }
    event
}

fn to_storage(mut event: Value) -> Value {
    if let Value::Object(fields) = &mut event {
        fields.insert("apiVersion".to_owned(), "v1".into());
        for (stored, served) in NAMES {
            rename(fields, served, stored);
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_and_back() {
        let stored = json!({
            "kind": "Event", "apiVersion": "v1", "metadata": { "name": "a" },
            "involvedObject": { "name": "p" }, "message": "hello", "count": 3, "reportingComponent": "c",
        });
        let served = from_storage(stored.clone());
        assert_eq!(served["regarding"]["name"], "p");
        assert_eq!(
            (&served["note"], &served["deprecatedCount"]),
            (&json!("hello"), &json!(3))
        );
        assert_eq!(served["apiVersion"], "events.k8s.io/v1");
        assert_eq!(to_storage(served), stored);
    }
}
