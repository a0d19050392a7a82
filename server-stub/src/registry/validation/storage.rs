//! The rules for volumes, claims and storage classes.

use kubewire_client::validation::{dns1123_subdomain, qualified_name};
use serde_json::{Value, json};

use super::difference::difference;
use super::selector;
use super::values::{broken, entries, get, one_of, path_of, put, text, texts};
use crate::registry::quantity::nanos;
use crate::status::FieldError;

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// The rules for a claim.
pub(in crate::registry) fn claim(object: &Value) -> Vec<FieldError> {
    claim_spec(get(object, "/spec"), "spec")
}

/// The rules for what is claimed.
pub(super) fn claim_spec(spec: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    if texts(spec, "/accessModes").is_empty() {
        errors.push(FieldError::required(
            at("accessModes"),
            "at least 1 access mode is required",
        ));
    }
    if !get(spec, "/selector").is_null() {
        errors.extend(selector::validate(get(spec, "/selector"), &at("selector")));
    }
    errors.extend(access_modes(spec, &at("accessModes")));
    let field = at("resources[storage]");
    match get(spec, "/resources/requests/storage") {
        Value::Null => errors.push(FieldError::required(field, "")),
        size => errors.extend(positive(size, &field)),
    }
    for field in ["storageClassName", "volumeAttributesClassName"] {
        let class = text(spec, &format!("/{field}"));
        if !class.is_empty() {
            errors.extend(broken(&at(field), class, dns1123_subdomain(class)));
        }
    }
    if let Some(mode) = get(spec, "/volumeMode").as_str() {
        errors.extend(one_of(&at("volumeMode"), mode, &["Block", "Filesystem"]));
    }
    for field in ["dataSource", "dataSourceRef"] {
        let source = get(spec, &format!("/{field}"));
        if !source.is_null() {
            errors.extend(data_source(source, &at(field)));
        }
    }
    errors
}

/// The rules for a change of a claim.
pub(in crate::registry) fn claim_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut allowed = get(new, "/spec").clone();
    let old_spec = get(old, "/spec");
    let mut keep = |field: &str| put(&mut allowed, &[field], get(old_spec, &format!("/{field}")).clone());
    if text(old_spec, "/volumeName").is_empty() {
        keep("volumeName");
    }
    if get(old_spec, "/storageClassName").is_null() {
        keep("storageClassName");
    }
    let bound = text(new, "/status/phase") == "Bound";
    if bound {
        keep("volumeAttributesClassName");
        let size = get(old_spec, "/resources/requests/storage").clone();
        put(&mut allowed, &["resources", "requests", "storage"], size);
    }
    if without_nulls(&allowed) != without_nulls(old_spec) {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                      bound claims";
        let difference = difference("PersistentVolumeClaimSpec", old_spec, &allowed);
        errors.push(FieldError::forbidden("spec", format!("{detail}\n{difference}")));
    }
    let size = |object: &Value, pointer: &str| nanos(text(object, pointer)).unwrap_or_default();
    let wanted = size(new, "/spec/resources/requests/storage");
    let smaller = wanted < size(old, "/spec/resources/requests/storage");
    if smaller && wanted <= size(old, "/status/capacity/storage") {
        let detail = "field can not be less than status.capacity";
        errors.push(FieldError::forbidden("spec.resources.requests.storage", detail));
    }
    if get(new, "/spec/volumeMode") != get(old, "/spec/volumeMode") {
        let mode = get(new, "/spec/volumeMode").clone();
        // Upstream leaves out `spec`.
        errors.push(FieldError::invalid("volumeMode", mode, "field is immutable"));
    }
    errors
}

/// The rules for a volume.
pub(in crate::registry) fn volume(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if texts(object, "/spec/accessModes").is_empty() {
        errors.push(FieldError::required("spec.accessModes", ""));
    }
    errors.extend(access_modes(get(object, "/spec"), "spec.accessModes"));
    let capacity = get(object, "/spec/capacity");
    let sizes: Vec<_> = entries(object, "/spec/capacity").collect();
    if sizes.is_empty() {
        errors.push(FieldError::required("spec.capacity", ""));
    }
    if sizes.len() != 1 || !sizes.iter().any(|(name, _)| *name == "storage") {
        errors.push(FieldError::not_supported(
            "spec.capacity",
            capacity.clone(),
            &["storage"],
        ));
    }
    for (name, size) in sizes {
        errors.extend(positive(size, &format!("spec.capacity[{name}]")));
    }
    if let Some(policy) = get(object, "/spec/persistentVolumeReclaimPolicy").as_str() {
        let field = "spec.persistentVolumeReclaimPolicy";
        errors.extend(one_of(field, policy, &["Delete", "Recycle", "Retain"]));
    }
    let sources = sources(object);
    match sources.split_first() {
        None => errors.push(FieldError::required("spec", "must specify a volume type")),
        Some((_, others)) => errors.extend(others.iter().map(|source| {
            let detail = "may not specify more than 1 volume type";
            FieldError::forbidden(format!("spec.{source}"), detail)
        })),
    }
    let class = text(object, "/spec/storageClassName");
    if !class.is_empty() {
        errors.extend(broken("spec.storageClassName", class, dns1123_subdomain(class)));
    }
    if let Some(mode) = get(object, "/spec/volumeMode").as_str() {
        errors.extend(one_of("spec.volumeMode", mode, &["Block", "Filesystem"]));
    }
    errors
}

/// The rules for a change of a volume.
pub(in crate::registry) fn volume_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let source = |object: &Value| -> Vec<Value> {
        let named = sources(object).into_iter();
        named
            .map(|name| json!([name, get(object, &format!("/spec/{name}"))]))
            .collect()
    };
    if source(new) != source(old) {
        let detail = "spec.persistentvolumesource is immutable after creation";
        let difference = difference("PersistentVolumeSource", get(old, "/spec"), get(new, "/spec"));
        let detail = format!("{detail}\n{difference}");
        errors.push(FieldError::forbidden("spec.persistentvolumesource", detail));
    }
    if get(new, "/spec/volumeMode") != get(old, "/spec/volumeMode") {
        let mode = get(new, "/spec/volumeMode").clone();
        errors.push(FieldError::invalid("volumeMode", mode, "field is immutable"));
    }
    errors
}

/// The rules for a storage class.
pub(in crate::registry) fn class(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let provisioner = text(object, "/provisioner");
    if !provisioner.is_empty() {
        let rules = qualified_name(&provisioner.to_lowercase());
        errors.extend(broken("provisioner", &provisioner.to_lowercase(), rules));
    }
    if let Some(policy) = get(object, "/reclaimPolicy")
        .as_str()
        .filter(|policy| !policy.is_empty())
    {
        errors.extend(one_of("reclaimPolicy", policy, &["Delete", "Retain"]));
    }
    match get(object, "/volumeBindingMode").as_str() {
        None => errors.push(FieldError::required("volumeBindingMode", "")),
        Some(mode) => {
            let modes = ["Immediate", "WaitForFirstConsumer"];
            errors.extend(one_of("volumeBindingMode", mode, &modes));
        }
    }
    if provisioner.is_empty() {
        errors.push(FieldError::required("provisioner", ""));
    }
    errors
}

/// The rules for a change of a storage class.
pub(in crate::registry) fn class_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let fields = ["/provisioner", "/parameters", "/reclaimPolicy", "/volumeBindingMode"];
    fields
        .into_iter()
        .filter(|field| get(new, field) != get(old, field))
        .map(|field| FieldError::invalid(path_of(field), Value::Null, "field is immutable"))
        .collect()
}

fn access_modes(spec: &Value, field: &str) -> Vec<FieldError> {
    let modes = texts(spec, "/accessModes");
    let mut errors: Vec<FieldError> = modes
        .iter()
        .filter_map(|mode| one_of(field, mode, &ACCESS_MODES))
        .collect();
    let alone = modes.contains(&"ReadWriteOncePod");
    let others = modes
        .iter()
        .any(|mode| *mode != "ReadWriteOncePod" && ACCESS_MODES.contains(mode));
    if alone && others {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(field, detail));
    }
    errors
}

fn data_source(source: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["name", "kind"] {
        if text(source, &format!("/{field}")).is_empty() {
            errors.push(FieldError::required(format!("{path}.{field}"), ""));
        }
    }
    let (group, kind) = (text(source, "/apiGroup"), text(source, "/kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.push(FieldError::invalid(path, json!(kind), detail));
    }
    if !group.is_empty() {
        errors.extend(broken(&format!("{path}.apiGroup"), group, dns1123_subdomain(group)));
    }
    errors
}

/// The names of the fields that say where a volume lies.
fn sources(volume: &Value) -> Vec<&String> {
    const OTHERS: [&str; 9] = [
        "capacity",
        "accessModes",
        "claimRef",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "mountOptions",
        "volumeMode",
        "nodeAffinity",
        "volumeAttributesClassName",
    ];
    entries(volume, "/spec")
        .filter(|(name, value)| !OTHERS.contains(&name.as_str()) && !value.is_null())
        .map(|(name, _)| name)
        .collect()
}

fn positive(quantity: &Value, field: &str) -> Option<FieldError> {
    let value = quantity.as_str().and_then(nanos).unwrap_or_default();
    (value <= 0).then(|| FieldError::invalid(field, quantity.clone(), "must be greater than zero"))
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let present = fields.iter().filter(|(_, value)| !value.is_null());
            present
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    fn claim_of(size: &str, class: Value) -> Value {
        json!({
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": class,
                "resources": { "requests": { "storage": size } },
            },
            "status": { "phase": "Bound", "capacity": { "storage": "2Gi" } },
        })
    }

    #[test]
    fn claims() {
        assert_eq!(told(claim(&claim_of("1Gi", json!("a")))), Vec::<String>::new());
        assert_eq!(
            told(claim(
                &json!({ "spec": { "accessModes": ["ReadWriteOncePod", "ReadWriteMany"] } })
            )),
            [
                "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
                "spec.resources[storage]: Required value",
            ]
        );
    }

    #[test]
    fn bound_claims_grow() {
        let old = claim_of("2Gi", json!("a"));
        assert_eq!(
            told(claim_update(&claim_of("3Gi", json!("a")), &old)),
            Vec::<String>::new()
        );
        assert_eq!(
            told(claim_update(&claim_of("1Gi", json!("a")), &old)),
            ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]
        );
        assert!(
            told(claim_update(&claim_of("2Gi", json!("b")), &old))[0].starts_with("spec: Forbidden: spec is immutable")
        );
    }

    #[test]
    fn volumes() {
        let spec = json!({ "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1Gi" }, "nfs": {}, "rbd": {} });
        assert_eq!(
            told(volume(&json!({ "spec": spec }))),
            ["spec.rbd: Forbidden: may not specify more than 1 volume type"]
        );
    }

    #[test]
    fn classes() {
        let object = |mode: &str| json!({ "provisioner": "example.com/p", "volumeBindingMode": mode });
        assert_eq!(told(class(&object("Immediate"))), Vec::<String>::new());
        assert_eq!(
            told(class_update(&object("WaitForFirstConsumer"), &object("Immediate"))),
            ["volumeBindingMode: Invalid value: null: field is immutable"]
        );
    }
}
