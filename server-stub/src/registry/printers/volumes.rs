//! Storage.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{count, created, flag, items, joined, name, text, text_or};

pub(super) fn persistent_volume(o: &Value, now: Timestamp) -> Vec<Value> {
    let claim = o.pointer("/spec/claimRef").filter(|claim| !claim.is_null());
    let claim = claim.map(|claim| format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")));
    vec![
        name(o),
        json!(text_or(o, "/spec/capacity/storage", "0")),
        json!(access_modes(o, "/spec/accessModes")),
        json!(text(o, "/spec/persistentVolumeReclaimPolicy")),
        json!(phase(o)),
        json!(claim.unwrap_or_default()),
        json!(storage_class_name(o)),
        json!(text_or(o, "/spec/volumeAttributesClassName", "<unset>")),
        json!(text(o, "/status/reason")),
        created(o, now),
        json!(text_or(o, "/spec/volumeMode", "<unset>")),
    ]
}

pub(super) fn persistent_volume_claim(o: &Value, now: Timestamp) -> Vec<Value> {
    let bound = !text(o, "/spec/volumeName").is_empty();
    let capacity = if bound {
        text_or(o, "/status/capacity/storage", "0")
    } else {
        ""
    };
    let modes = if bound {
        access_modes(o, "/status/accessModes")
    } else {
        String::new()
    };
    vec![
        name(o),
        json!(phase(o)),
        json!(text(o, "/spec/volumeName")),
        json!(capacity),
        json!(modes),
        json!(storage_class_name(o)),
        json!(text_or(o, "/spec/volumeAttributesClassName", "<unset>")),
        created(o, now),
        json!(text_or(o, "/spec/volumeMode", "<unset>")),
    ]
}

fn phase(o: &Value) -> &str {
    if o.pointer("/metadata/deletionTimestamp").is_some() {
        "Terminating"
    } else {
        text(o, "/status/phase")
    }
}

/// The annotation is what the field was before it became one.
fn storage_class_name(o: &Value) -> &str {
    text_or(
        o,
        "/metadata/annotations/volume.beta.kubernetes.io~1storage-class",
        text(o, "/spec/storageClassName"),
    )
}

/// The modes abbreviated, in the order in which kubectl lists them.
fn access_modes(o: &Value, pointer: &str) -> String {
    let order = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode| items(o, pointer).any(|m| m.as_str() == Some(mode));
    joined(
        order.into_iter().filter(|(mode, _)| has(mode)).map(|(_, short)| short),
        ",",
        "",
    )
}

pub(super) fn storage_class(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name_with_default(o, "/metadata/annotations/storageclass.kubernetes.io~1is-default-class"),
        json!(text(o, "/provisioner")),
        json!(text_or(o, "/reclaimPolicy", "Delete")),
        json!(text_or(o, "/volumeBindingMode", "Immediate")),
        json!(flag(o, "/allowVolumeExpansion")),
        created(o, now),
    ]
}

pub(super) fn volume_attributes_class(o: &Value, now: Timestamp) -> Vec<Value> {
    let name = name_with_default(o, "/metadata/annotations/storageclass.kubernetes.io~1is-default-class");
    vec![name, json!(text(o, "/driverName")), created(o, now)]
}

fn name_with_default(o: &Value, annotation: &str) -> Value {
    let suffix = if text(o, annotation) == "true" {
        " (default)"
    } else {
        ""
    };
    json!(format!("{}{suffix}", text(o, "/metadata/name")))
}

pub(super) fn volume_attachment(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(o),
        json!(text(o, "/spec/attacher")),
        json!(text(o, "/spec/source/persistentVolumeName")),
        json!(text(o, "/spec/nodeName")),
        json!(flag(o, "/status/attached")),
        created(o, now),
    ]
}

pub(super) fn csi_driver(o: &Value, now: Timestamp) -> Vec<Value> {
    let attach = o
        .pointer("/spec/attachRequired")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let audiences = items(o, "/spec/tokenRequests").map(|request| text(request, "/audience"));
    vec![
        name(o),
        json!(attach),
        json!(flag(o, "/spec/podInfoOnMount")),
        json!(flag(o, "/spec/storageCapacity")),
        json!(joined(audiences, ",", "<unset>")),
        json!(flag(o, "/spec/requiresRepublish")),
        json!(joined(
            items(o, "/spec/volumeLifecycleModes").filter_map(Value::as_str),
            ",",
            "<none>"
        )),
        created(o, now),
    ]
}

pub(super) fn csi_node(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(o), json!(count(o, "/spec/drivers")), created(o, now)]
}
