//! Volumes of drivers that are not part of Kubernetes.

use kubewire_client::validation::{dns1123_label, dns1123_subdomain};
use serde_json::{Value, json};

use super::{Owner, required};
use crate::registry::validation::values::{TextRule, broken, entries, get, text};
use crate::status::FieldError;

/// The rules for a volume of a CSI driver.
pub(super) fn csi(source: &Value, path: &str, owner: Owner<'_>) -> Vec<FieldError> {
    let mut errors = driver_name(text(source, "/driver"), &format!("{path}.driver"));
    let secret = get(source, "/nodePublishSecretRef");
    if owner.is_pod() {
        if !secret.is_null() {
            match text(secret, "/name") {
                "" => errors.extend(required(secret, &format!("{path}.nodePublishSecretRef"), &["name"])),
                // Upstream leaves out the reference.
                name => errors.extend(broken(&format!("{path}.name"), name, dns1123_subdomain(name))),
            }
        }
        return errors;
    }
    errors.extend(required(source, path, &["volumeHandle"]));
    for field in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        let secret = get(source, &format!("/{field}"));
        if !secret.is_null() {
            errors.extend(secret_of_volume(secret, &format!("{path}.{field}")));
        }
    }
    errors
}

/// The rules for the name of a CSI driver.
pub(in crate::registry::validation) fn driver_name(name: &str, field: &str) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![FieldError::required(field, "")];
    }
    let mut errors = Vec::new();
    if name.len() > 63 {
        errors.push(FieldError::too_long(field, 63));
    }
    errors.extend(broken(field, name, dns1123_subdomain(&name.to_lowercase())));
    errors
}

fn secret_of_volume(secret: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let rules: [(&str, TextRule); 2] = [("name", dns1123_subdomain), ("namespace", dns1123_label)];
    for (field, rule) in rules {
        let (value, field) = (text(secret, &format!("/{field}")), format!("{path}.{field}"));
        match value {
            "" => errors.push(FieldError::required(field, "")),
            value => errors.extend(broken(&field, value, rule(value))),
        }
    }
    errors
}

/// The rules for a volume of a program on the node.
pub(super) fn flex(source: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = required(source, path, &["driver"]);
    for (key, _) in entries(source, "/options") {
        let namespace = key.split_once('/').map_or(key.as_str(), |(namespace, _)| namespace);
        let namespace = format!(".{}", namespace.to_lowercase());
        if namespace.ends_with(".kubernetes.io") || namespace.ends_with(".k8s.io") {
            let detail = "kubernetes.io and k8s.io namespaces are reserved";
            let field = format!("{path}.options[{key}]");
            errors.push(FieldError::invalid(field, json!(key), detail));
        }
    }
    errors
}
