//! The rules for volumes in containers.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::container::{self, PodFacts};
use crate::registry::validation::values::{flag, get, items, one_of, text};
use crate::registry::validation::volumes::descending_path;
use crate::status::FieldError;

/// The rules for the places where volumes are seen as folders.
pub(super) fn mounts(container: &Value, facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut paths = HashSet::new();
    for (index, mount) in items(container, "/volumeMounts").iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let (name, mount_path) = (text(mount, "/name"), text(mount, "/mountPath"));
        if name.is_empty() {
            errors.push(FieldError::required(at("name"), ""));
        }
        if facts.volume(name).is_none() {
            errors.push(FieldError::not_found(at("name"), json!(name)));
        }
        if mount_path.is_empty() {
            errors.push(FieldError::required(at("mountPath"), ""));
        }
        if !paths.insert(mount_path) {
            errors.push(FieldError::invalid(
                at("mountPath"),
                json!(mount_path),
                "must be unique",
            ));
        }
        let devices = items(container, "/volumeDevices");
        if devices.iter().any(|device| text(device, "/name") == name) {
            let detail = "must not already exist in volumeDevices";
            errors.push(FieldError::invalid(at("name"), json!(name), detail));
        }
        if devices.iter().any(|device| text(device, "/devicePath") == mount_path) {
            let detail = "must not already exist as a path in volumeDevices";
            errors.push(FieldError::invalid(at("mountPath"), json!(mount_path), detail));
        }
        let (below, expression) = (text(mount, "/subPath"), text(mount, "/subPathExpr"));
        // Upstream does not say which of them.
        errors.extend(descending_path(below, &format!("{path}.subPath")));
        if !below.is_empty() && !expression.is_empty() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            errors.push(FieldError::invalid(at("subPathExpr"), json!(expression), detail));
        }
        errors.extend(descending_path(expression, &format!("{path}.subPathExpr")));
        errors.extend(propagation(mount, container, path));
        errors.extend(recursive(mount, &format!("{path}.recursiveReadOnly")));
    }
    errors
}

fn propagation(mount: &Value, container: &Value, path: &str) -> Vec<FieldError> {
    let Some(mode) = get(mount, "/mountPropagation").as_str() else {
        return Vec::new();
    };
    let field = format!("{path}.mountPropagation");
    let modes = ["Bidirectional", "HostToContainer", "None"];
    let mut errors: Vec<FieldError> = one_of(&field, mode, &modes).into_iter().collect();
    if mode == "Bidirectional" && !container::is_privileged(container) {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        errors.push(FieldError::forbidden(field, detail));
    }
    errors
}

fn recursive(mount: &Value, field: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match get(mount, "/recursiveReadOnly").as_str() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !flag(mount, "/readOnly") {
                errors.push(FieldError::forbidden(
                    field,
                    "may only be specified when readOnly is true",
                ));
            }
            if !["", "None"].contains(&text(mount, "/mountPropagation")) {
                let detail = "may only be specified when mountPropagation is None or not specified";
                errors.push(FieldError::forbidden(field, detail));
            }
        }
        Some(mode) => errors.extend(one_of(field, mode, &["Disabled", "Enabled", "IfPossible"])),
    }
    errors
}

/// The rules for the places where volumes are seen as devices.
pub(super) fn devices(container: &Value, facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let devices = items(container, "/volumeDevices");
    if !facts.host_users && !devices.is_empty() {
        errors.push(FieldError::forbidden(path, "when `hostUsers` is false"));
    }
    let (mut names, mut paths) = (HashSet::new(), HashSet::new());
    for (index, device) in devices.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let invalid = |field: &str, value: &str, detail: &str| FieldError::invalid(at(field), json!(value), detail);
        let (name, device_path) = (text(device, "/name"), text(device, "/devicePath"));
        for (field, value) in [("name", name), ("devicePath", device_path)] {
            if value.is_empty() {
                errors.push(FieldError::required(at(field), ""));
            }
        }
        if !names.insert(name) {
            errors.push(invalid("name", name, "must be unique"));
        }
        match facts.volume(name) {
            None => errors.push(FieldError::not_found(at("name"), json!(name))),
            Some(volume)
                if !["persistentVolumeClaim", "ephemeral"]
                    .iter()
                    .any(|kind| volume.get(kind).is_some()) =>
            {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.push(invalid("name", name, detail));
            }
            Some(_) => {}
        }
        if !paths.insert(device_path) {
            errors.push(invalid("devicePath", device_path, "must be unique"));
        }
        if device_path.split('/').any(|part| part == "..") {
            errors.push(invalid("devicePath", device_path, "can not contain backsteps ('..')"));
        }
        let mounts = items(container, "/volumeMounts");
        if mounts.iter().any(|mount| text(mount, "/name") == name) {
            errors.push(invalid("name", name, "must not already exist in volumeMounts"));
        }
        if mounts.iter().any(|mount| text(mount, "/mountPath") == device_path) {
            let detail = "must not already exist as a path in volumeMounts";
            errors.push(invalid("devicePath", device_path, detail));
        }
    }
    errors
}
