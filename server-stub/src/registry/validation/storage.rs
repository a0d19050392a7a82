//! The rules for volumes, claims and storage classes.

use std::collections::HashSet;

use kubewire_client::validation::{dns1123_subdomain, qualified_name};
use serde_json::{Value, json};

use super::difference::difference;
use super::values::{broken, entries, get, items, one_of, path_of, put, text, texts};
use super::volumes::{self, Owner};
use super::{metadata, pod, selector};
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
    let (source, reference) = (get(spec, "/dataSource"), get(spec, "/dataSourceRef"));
    let same = ["/kind", "/name", "/apiGroup"]
        .iter()
        .all(|field| text(source, field) == text(reference, field));
    if !source.is_null() && !reference.is_null() && !same {
        errors.push(FieldError::invalid(path, json!({}), "must match dataSourceRef"));
    }
    errors
}

/// Warnings about what is claimed at a path.
pub(in crate::registry) fn claim_warnings(spec: &Value, path: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for side in ["limits", "requests"] {
        let size = text(spec, &format!("/resources/{side}/storage"));
        if nanos(size).is_some_and(|size| size % 1_000_000_000 != 0) {
            warnings.push(format!(
                "{path}.resources.{side}[storage]: fractional byte value {size:?} is invalid, must be an integer"
            ));
        }
    }
    warnings
}

/// The rules for the claim of a pod's own volume at a path.
pub(super) fn claim_template(template: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.metadata.{field}");
    let object = get(template, "/metadata");
    let mut errors = metadata::labels(object.get("labels"), &at("labels"));
    errors.extend(metadata::annotations(object.get("annotations"), &at("annotations")));
    for field in [
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ] {
        let is_set = match get(object, &format!("/{field}")) {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(elements) => !elements.is_empty(),
            value => value.as_i64() != Some(0) || field != "generation",
        };
        if is_set {
            let field = if field == "uid" { "uID" } else { field };
            errors.push(FieldError::forbidden(at(field), "cannot be set"));
        }
    }
    errors.extend(claim_spec(get(template, "/spec"), &format!("{path}.spec")));
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
    let spec = get(object, "/spec");
    let capacity = get(spec, "/capacity");
    let sizes: Vec<_> = entries(spec, "/capacity").collect();
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
        let field = format!("spec.capacity[{name}]");
        let amount = size.as_str().and_then(nanos).unwrap_or_default();
        if amount < 0 {
            // The whole number that it stands for is shown.
            let shown = i64::try_from(amount / 1_000_000_000).unwrap_or(i64::MIN);
            let detail = "must be a valid resource quantity";
            errors.push(FieldError::invalid(&field, json!(shown), detail));
        }
        errors.extend(positive(size, &field));
    }
    if let Some(policy) = get(spec, "/persistentVolumeReclaimPolicy").as_str() {
        let field = "spec.persistentVolumeReclaimPolicy";
        errors.extend(one_of(field, policy, &["Delete", "Recycle", "Retain"]));
        if policy == "Recycle" && text(spec, "/hostPath/path") == "/" {
            let detail = "may not be 'recycle' for a hostPath mount of '/'";
            errors.push(FieldError::forbidden(field, detail));
        }
    }
    let affinity = get(spec, "/nodeAffinity");
    if !affinity.is_null() {
        errors.extend(match get(affinity, "/required") {
            Value::Null => {
                let detail = "must specify required node constraints";
                vec![FieldError::required("spec.nodeAffinity.required", detail)]
            }
            required => pod::scheduling::node_selector(required, "spec.nodeAffinity.required"),
        });
    } else if !get(spec, "/local").is_null() {
        let detail = "Local volume requires node affinity";
        errors.push(FieldError::required("spec.nodeAffinity", detail));
    }
    let owner = Owner::Volume(text(object, "/metadata/name"));
    errors.extend(volumes::validate(spec, "spec", owner));
    let class = text(spec, "/storageClassName");
    if !class.is_empty() {
        errors.extend(broken("spec.storageClassName", class, dns1123_subdomain(class)));
    }
    if let Some(mode) = get(spec, "/volumeMode").as_str() {
        errors.extend(one_of("spec.volumeMode", mode, &["Block", "Filesystem"]));
    }
    if let Some(class) = get(spec, "/volumeAttributesClassName").as_str() {
        let field = "spec.volumeAttributesClassName";
        match class {
            "" => errors.push(FieldError::required(field, "an empty string is disallowed")),
            class => errors.extend(broken(field, class, dns1123_subdomain(class))),
        }
        if get(spec, "/csi").is_null() {
            let detail = "has to be specified when using volumeAttributesClassName";
            errors.push(FieldError::required("spec.csi", detail));
        }
    }
    errors
}

/// Warnings about a volume.
pub(in crate::registry) fn volume_warnings(object: &Value) -> Vec<String> {
    let mut warnings: Vec<String> = volumes::OLD
        .iter()
        .filter(|(source, _)| !["flocker", "quobyte"].contains(source))
        .filter(|(source, _)| !get(object, &format!("/spec/{source}")).is_null())
        .map(|(source, message)| {
            // Upstream's spelling.
            let source = if *source == "storageos" { "storageOS" } else { source };
            format!("spec.{source}: {message}")
        })
        .collect();
    if text(object, "/spec/persistentVolumeReclaimPolicy") == "Recycle" {
        warnings.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended \
             approach is to use dynamic provisioning."
                .to_owned(),
        );
    }
    warnings
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
    errors.extend(topologies(items(object, "/allowedTopologies")));
    errors
}

/// Where volumes of a class may lie.
fn topologies(terms: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, term) in terms.iter().enumerate() {
        let path = format!("allowedTopologies[{index}].matchLabelExpressions");
        let rules = items(term, "/matchLabelExpressions");
        let mut keys = HashSet::new();
        for (number, rule) in rules.iter().enumerate() {
            let at = |field: &str| format!("{path}[{number}].{field}");
            let (key, values) = (text(rule, "/key"), texts(rule, "/values"));
            if values.is_empty() {
                errors.push(FieldError::required(at("values"), ""));
            }
            for (place, value) in values.iter().enumerate() {
                if values.iter().take(place).any(|earlier| earlier == value) {
                    errors.push(FieldError::duplicate(at(&format!("values[{place}]")), json!(value)));
                }
            }
            errors.extend(broken(&at("key"), key, qualified_name(key)));
            if !keys.insert(key) {
                errors.push(FieldError::duplicate(at("key"), json!(key)));
            }
        }
        if rules.is_empty() || terms.iter().take(index).any(|earlier| earlier == term) {
            errors.push(FieldError::duplicate(path, json!("")));
        }
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
        let spec = json!({ "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1Gi" },
            "nfs": { "server": "s", "path": "/p" }, "rbd": {} });
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
