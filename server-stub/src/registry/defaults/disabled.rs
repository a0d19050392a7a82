//! Fields of features that are off by default: what a client writes there is dropped before it is stored.

use std::collections::HashSet;

use kubewire_client::wire::schema::MessageSchema;
use serde_json::{Map, Value};

const DISABLED: [(&str, &[&str]); 17] = [
    ("batch.v1.JobSpec", &["scheduling"]),
    ("coordination.v1.LeaseSpec", &["preferredHolder", "strategy"]),
    ("core.v1.ClusterTrustBundleProjection", &["user"]),
    ("core.v1.ConfigMapVolumeSource", &["defaultUser"]),
    ("core.v1.DownwardAPIVolumeFile", &["user"]),
    ("core.v1.DownwardAPIVolumeSource", &["defaultUser"]),
    ("core.v1.EmptyDirVolumeSource", &["mode"]),
    ("core.v1.GRPCAction", &["mode"]),
    ("core.v1.HTTPGetAction", &["protocol"]),
    ("core.v1.KeyToPath", &["user"]),
    ("core.v1.Lifecycle", &["stopSignal"]),
    ("core.v1.NodeSpec", &["configSource", "podPreemptionPolicy"]),
    ("core.v1.PodSpec", &["evictionResponders", "schedulingGroup"]),
    ("core.v1.ProjectedVolumeSource", &["defaultUser"]),
    ("core.v1.SecretVolumeSource", &["defaultUser"]),
    ("core.v1.ServiceAccountTokenProjection", &["user"]),
    ("core.v1.VolumeMount", &["bindMountOptions"]),
];

fn of(message: &str) -> &'static [&'static str] {
    let found = DISABLED.binary_search_by(|(name, _)| (*name).cmp(message));
    found
        .ok()
        .and_then(|index| DISABLED.get(index))
        .map_or(&[], |(_, fields)| *fields)
}

/// Whether there is such a field in a message or inside of it.
pub(in crate::registry) fn are_inside(message: &'static MessageSchema) -> bool {
    fn look(message: &'static MessageSchema, seen: &mut HashSet<&'static str>) -> bool {
        seen.insert(message.name)
            && (!of(message.name).is_empty()
                || message
                    .fields
                    .iter()
                    .any(|field| field.message().is_some_and(|inner| look(inner, seen))))
    }
    look(message, &mut HashSet::new())
}

/// Drops what is in such fields.
pub(in crate::registry) fn drop_from(message: &'static MessageSchema, object: &mut Value) {
    match object {
        Value::Array(elements) => elements.iter_mut().for_each(|element| drop_from(message, element)),
        Value::Object(members) => drop_members(message, members),
        _ => {}
    }
}

fn drop_members(message: &'static MessageSchema, members: &mut Map<String, Value>) {
    for field in of(message.name) {
        members.remove(*field);
    }
    // Hooks that had nothing else are gone with it.
    if message.name == "core.v1.Container"
        && members
            .get("lifecycle")
            .and_then(Value::as_object)
            .is_some_and(|lifecycle| lifecycle.len() == 1 && lifecycle.contains_key("stopSignal"))
    {
        members.remove("lifecycle");
    }
    for (name, value) in members {
        if !matches!(value, Value::Object(_) | Value::Array(_)) {
            continue;
        }
        if let Some(inner) = message.field(name).and_then(|field| field.message())
            && inner.special.is_none()
        {
            drop_from(inner, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use kubewire_client::Gvk;
    use kubewire_client::wire::schema;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_off_is_dropped() {
        let kind = |group, kind| schema::kind(&Gvk::new(group, "v1", kind)).unwrap();
        let pod = kind("", "Pod").message;
        let mut object = json!({ "spec": { "evictionResponders": [{}], "containers": [
            { "name": "a", "lifecycle": { "stopSignal": "x" } },
            { "name": "b", "lifecycle": { "stopSignal": "x", "preStop": {} } },
        ] } });
        drop_from(pod, &mut object);
        let left = json!([{ "name": "a" }, { "name": "b", "lifecycle": { "preStop": {} } }]);
        assert_eq!(object, json!({ "spec": { "containers": left } }));
        assert!(are_inside(pod));
        assert!(!are_inside(kind("", "ConfigMap").message));
    }

    #[test]
    fn names_are_in_order() {
        assert!(DISABLED.is_sorted_by_key(|(name, _)| *name));
    }
}
