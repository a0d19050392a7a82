//! `binding`: a scheduler gives a pod its node.

use kubewire_client::validation::dns1123_subdomain;
use serde_json::{Value, json};

use super::set_condition;
use crate::registry::query::{Preconditions, UpdateOptions, WriteContext};
use crate::registry::store::Store;
use crate::registry::validation::values::{broken, entries, get, items, put, remove, text};
use crate::status::{ApiError, FieldError, GroupResource};

/// The name of the subresource, which is no part of the object.
pub(crate) const NAME: &str = "binding";

/// Binds a pod to a node.
pub(crate) async fn bind(
    pods: &Store,
    context: &WriteContext,
    namespace: &str,
    name: &str,
    binding: &Value,
) -> Result<(), ApiError> {
    if text(binding, "/metadata/name") != name {
        return Err(ApiError::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    let errors: Vec<String> = check(binding).iter().map(ToString::to_string).collect();
    match errors.as_slice() {
        [] => {}
        [error] => return Err(ApiError::unclassified(error)),
        errors => return Err(ApiError::unclassified(format!("[{}]", errors.join(", ")))),
    }
    let wanted = |pointer| Some(text(binding, pointer).to_owned()).filter(|text| !text.is_empty());
    let options = UpdateOptions {
        preconditions: Preconditions {
            uid: wanted("/metadata/uid"),
            resource_version: wanted("/metadata/resourceVersion"),
        },
        ..UpdateOptions::default()
    };
    let now = context.clock.now();
    let mutate = |pod: &Value| {
        let mut pod = pod.clone();
        refuse(&pod).map_err(|message| {
            let resource = GroupResource::new("", "pods/binding");
            ApiError::conflict(&resource, name, message)
        })?;
        put(&mut pod, &["spec", "nodeName"], get(binding, "/target/name").clone());
        remove(&mut pod, "/status", "nominatedNodeName");
        for map in ["annotations", "labels"] {
            for (key, value) in entries(binding, &format!("/metadata/{map}")) {
                put(&mut pod, &["metadata", map, key], value.clone());
            }
        }
        let scheduled = json!({ "type": "PodScheduled", "status": "True", "lastProbeTime": null });
        set_condition(&mut pod, now, scheduled);
        Ok(pod)
    };
    pods.update(context, namespace, name, Some(NAME), mutate, options)
        .await?;
    Ok(())
}

fn check(binding: &Value) -> Vec<FieldError> {
    let (kind, node) = (text(binding, "/target/kind"), text(binding, "/target/name"));
    let mut errors = Vec::new();
    if !["", "Node"].contains(&kind) {
        errors.push(FieldError::not_supported(
            "target.kind",
            json!(kind),
            &["Node", "<empty>"],
        ));
    }
    match node {
        "" => errors.push(FieldError::required("target.name", "")),
        node if ["", "Node"].contains(&kind) => errors.extend(broken("target.name", node, dns1123_subdomain(node))),
        _ => {}
    }
    errors
}

/// Pods that cannot be bound (any more).
fn refuse(pod: &Value) -> Result<(), String> {
    let name = text(pod, "/metadata/name");
    let node = text(pod, "/spec/nodeName");
    if !get(pod, "/metadata/deletionTimestamp").is_null() {
        return Err(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    if !node.is_empty() {
        return Err(format!("pod {name} is already assigned to node {node:?}"));
    }
    if !items(pod, "/spec/schedulingGates").is_empty() {
        return Err(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    Ok(())
}
