//! Defaults that depend on other fields, by message. They run before those of the table.

use kubewire_client::Gvk;
use serde_json::{Map, Value, json};

use super::{core, extensions, workloads};

type Members = Map<String, Value>;

/// Fills in the defaults of a message, for a root of this kind.
pub(super) type FillIn = fn(&Gvk, &mut Members);

/// The conditional defaults of a message, if it has any.
pub(super) fn of(message: &str) -> Option<FillIn> {
    Some(match message {
        "core.v1.Pod" => |_, members| core::pod(members),
        "core.v1.PodSpec" => |_, members| core::same("serviceAccountName", "serviceAccount", members),
        "core.v1.PodStatus" => |_, members| core::first_of_list("podIP", "podIPs", "ip", members),
        "core.v1.NodeSpec" => |_, members| core::first_of_list("podCIDR", "podCIDRs", "", members),
        "core.v1.Container" | "core.v1.EphemeralContainerCommon" => {
            |_, members| core::image_pull_policy("imagePullPolicy", "image", members)
        }
        "core.v1.ImageVolumeSource" => |_, members| core::image_pull_policy("pullPolicy", "reference", members),
        "core.v1.Volume" => |_, members| core::volume(members),
        "core.v1.ServiceSpec" => |_, members| core::service(members),
        "core.v1.Namespace" => |_, members| core::namespace(members),
        "core.v1.LimitRangeItem" => |_, members| core::limit_range_item(members),
        "core.v1.ReplicationController" => |_, members| workloads::labels_from_template(members, true),
        "apps.v1.DeploymentSpec" => |_, members| workloads::rolling_update("strategy", members),
        "apps.v1.DaemonSetSpec" => |_, members| workloads::rolling_update("updateStrategy", members),
        "apps.v1.StatefulSetSpec" => |_, members| workloads::stateful_set(members),
        "batch.v1.Job" => |_, members| workloads::job_labels(members),
        "batch.v1.JobSpec" => |root, members| {
            if *root.kind == *"Job" {
                workloads::job(members);
            }
        },
        "autoscaling.v2.HorizontalPodAutoscalerSpec" => |_, members| workloads::autoscaler(members),
        "networking.v1.NetworkPolicySpec" => |_, members| extensions::network_policy(members),
        "rbac.v1.Subject" => |_, members| extensions::subject(members),
        "apiextensions.v1.CustomResourceDefinition" => |_, members| extensions::custom_resource_definition(members),
        _ => return None,
    })
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
