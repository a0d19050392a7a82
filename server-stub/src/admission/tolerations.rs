//! `DefaultTolerationSeconds` and `TaintNodesByCondition`: pods leave nodes that fail after a while, and a new node takes
//! none before it is ready.

use serde_json::{Value, json};

use crate::registry::validation::values::{items, put, text};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Lets a pod stay for five minutes on a node that fails, unless it says itself how long.
pub(super) fn add_default(pod: &mut Value) {
    for key in [NOT_READY, UNREACHABLE] {
        let tolerated = items(pod, "/spec/tolerations").iter().any(|toleration| {
            let covers = |field: &str, wanted: &str| {
                let value = text(toleration, field);
                value.is_empty() || value == wanted
            };
            covers("/key", key) && covers("/effect", "NoExecute")
        });
        if tolerated {
            continue;
        }
        let mut all = items(pod, "/spec/tolerations").to_vec();
        all.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        put(pod, &["spec", "tolerations"], Value::Array(all));
    }
}

/// Marks a new node as not ready.
pub(super) fn taint_new_node(node: &mut Value) {
    let mut taints = items(node, "/spec/taints").to_vec();
    let taint = json!({ "key": NOT_READY, "effect": "NoSchedule" });
    if !taints.contains(&taint) {
        taints.push(taint);
        put(node, &["spec", "taints"], Value::Array(taints));
    }
}
