//! `RuntimeClass`: a pod's overhead and its place follow from its class.

use serde_json::Value;

use super::Attributes;
use crate::registry::validation::values::{entries, get, items, put, text};
use crate::status::ApiError;

/// Fills in what a new pod has from its class.
pub(super) async fn set(attributes: &Attributes<'_>, pod: &mut Value) -> Result<(), ApiError> {
    let name = text(pod, "/spec/runtimeClassName").to_owned();
    let rejected = |pod: &Value, why: &str| attributes.forbidden(pod, format!("pod rejected: {why}"));
    if name.is_empty() {
        let overhead = entries(pod, "/spec/overhead").next().is_some();
        let why = "Pod Overhead set without corresponding RuntimeClass defined Overhead";
        return if overhead { Err(rejected(pod, why)) } else { Ok(()) };
    }
    let store = attributes.store("node.k8s.io", "runtimeclasses")?;
    let class = store.get("", &name, Some(store.written_version())).await;
    let class = class
        .map_err(|_| rejected(pod, &format!("RuntimeClass {name:?} not found")))?
        .document();
    let (fixed, own) = (get(&class, "/overhead/podFixed"), get(pod, "/spec/overhead"));
    if fixed.is_null() && !own.is_null() {
        return Err(rejected(
            pod,
            "Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ));
    }
    if !fixed.is_null() && !own.is_null() && fixed != own {
        return Err(rejected(
            pod,
            "Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ));
    }
    if !fixed.is_null() {
        put(pod, &["spec", "overhead"], fixed.clone());
    }
    for (key, value) in entries(&class, "/scheduling/nodeSelector") {
        let own = &get(pod, "/spec/nodeSelector")[key];
        if !own.is_null() && own != value {
            let shown = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (wanted, own) = (shown(value), shown(own));
            let message = format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; pod.spec.nodeSelector[{key}] = {own}"
            );
            return Err(attributes.forbidden(pod, message));
        }
        put(pod, &["spec", "nodeSelector", key], value.clone());
    }
    let mut tolerations = items(pod, "/spec/tolerations").to_vec();
    for toleration in items(&class, "/scheduling/tolerations") {
        if !tolerations.contains(toleration) {
            tolerations.push(toleration.clone());
        }
    }
    if !tolerations.is_empty() {
        put(pod, &["spec", "tolerations"], tolerations.into());
    }
    Ok(())
}
