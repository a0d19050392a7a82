//! Defaults that depend on other fields, by message. They run before those of the table.

use kubewire_client::Gvk;
use serde_json::{Map, Value, json};

use super::{core, extensions, workloads};

type Members = Map<String, Value>;

/// Fills the message's conditional defaults.
pub(super) fn apply(root: &Gvk, message: &str, members: &mut Members) {
    match message {
        "core.v1.Pod" => core::pod(members),
        "core.v1.PodSpec" => core::same("serviceAccountName", "serviceAccount", members),
        "core.v1.PodStatus" => core::first_of_list("podIP", "podIPs", "ip", members),
        "core.v1.NodeSpec" => core::first_of_list("podCIDR", "podCIDRs", "", members),
        "core.v1.Container" | "core.v1.EphemeralContainerCommon" => {
            core::image_pull_policy("imagePullPolicy", "image", members)
        }
        "core.v1.ImageVolumeSource" => core::image_pull_policy("pullPolicy", "reference", members),
        "core.v1.Volume" => core::volume(members),
        "core.v1.ServiceSpec" => core::service(members),
        "core.v1.Namespace" => core::namespace(members),
        "core.v1.LimitRangeItem" => core::limit_range_item(members),
        "core.v1.ReplicationController" => workloads::labels_from_template(members, true),
        "apps.v1.DeploymentSpec" => workloads::rolling_update("strategy", members),
        "apps.v1.DaemonSetSpec" => workloads::rolling_update("updateStrategy", members),
        "apps.v1.StatefulSetSpec" => workloads::stateful_set(members),
        "batch.v1.Job" => workloads::labels_from_template(members, false),
        "batch.v1.JobSpec" if *root.kind == *"Job" => workloads::job(members),
        "autoscaling.v2.HorizontalPodAutoscalerSpec" => workloads::autoscaler(members),
        "networking.v1.NetworkPolicySpec" => extensions::network_policy(members),
        "rbac.v1.Subject" => extensions::subject(members),
        "apiextensions.v1.CustomResourceDefinition" => extensions::custom_resource_definition(members),
        _ => {}
    }
}

/// Sets a member that is absent, null, empty text or zero.
pub(super) fn set_unset(members: &mut Members, name: &str, value: impl Into<Value>) {
    let unset = match members.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(_) => false,
    };
    if unset {
        members.insert(name.to_owned(), value.into());
    }
}

/// Sets a member that is absent or null.
pub(super) fn set_absent(members: &mut Members, name: &str, value: impl Into<Value>) {
    if is_absent(members, name) {
        members.insert(name.to_owned(), value.into());
    }
}

pub(super) fn is_absent(members: &Members, name: &str) -> bool {
    members.get(name).is_none_or(Value::is_null)
}

pub(super) fn text<'a>(members: &'a Members, name: &str) -> &'a str {
    members.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The object at a name, made where there is none.
pub(super) fn object<'a>(members: &'a mut Members, name: &str) -> Option<&'a mut Members> {
    set_absent(members, name, json!({}));
    members.get_mut(name).and_then(Value::as_object_mut)
}
