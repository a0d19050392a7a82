//! The rules for volumes.

use std::collections::HashSet;

use kubewire_client::validation::dns1123_label;
use serde_json::{Value, json};

use crate::registry::validation::values::{broken, entries, items, text};
use crate::status::FieldError;

/// The names of a pod's volumes that break no rules.
pub(super) fn names(spec: &Value) -> HashSet<&str> {
    let volumes = items(spec, "/volumes").iter();
    volumes
        .filter(|volume| dns1123_label(text(volume, "/name")).is_empty() && source(volume, "").is_empty())
        .map(|volume| text(volume, "/name"))
        .collect()
}

/// The order in which kube-apiserver looks for the kinds of volumes.
const KINDS: [&str; 11] = [
    "emptyDir",
    "hostPath",
    "secret",
    "nfs",
    "persistentVolumeClaim",
    "downwardAPI",
    "configMap",
    "projected",
    "csi",
    "ephemeral",
    "image",
];

/// The rules for the volumes of a pod.
pub(super) fn validate(volumes: &[Value], path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = HashSet::new();
    for (index, volume) in volumes.iter().enumerate() {
        let at = format!("{path}[{index}]");
        errors.extend(source(volume, &at));
        match text(volume, "/name") {
            "" => errors.push(FieldError::required(format!("{at}.name"), "")),
            name => {
                let wrong = broken(&format!("{at}.name"), name, dns1123_label(name));
                if wrong.is_empty() && !names.insert(name) {
                    errors.push(FieldError::duplicate(format!("{at}.name"), json!(name)));
                }
                errors.extend(wrong);
            }
        }
    }
    errors
}

/// A volume is of one kind.
fn source(volume: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let place = |kind: &str| KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len());
    let present = entries(volume, "").filter(|(kind, value)| *kind != "name" && !value.is_null());
    let mut present: Vec<(&str, &Value)> = present.map(|(kind, value)| (kind.as_str(), value)).collect();
    present.sort_by_key(|(kind, _)| place(kind));
    let mut kinds = present.into_iter();
    match kinds.next() {
        // Defaults make it an emptyDir.
        None => errors.push(FieldError::required(path, "must specify a volume type")),
        Some((kind, value)) => errors.extend(of_kind(kind, value, &format!("{path}.{kind}"))),
    }
    let more = kinds
        .map(|(kind, _)| FieldError::forbidden(format!("{path}.{kind}"), "may not specify more than 1 volume type"));
    errors.extend(more);
    errors
}

fn of_kind(kind: &str, value: &Value, path: &str) -> Vec<FieldError> {
    let required = |field: &str| {
        let missing = text(value, &format!("/{field}")).is_empty();
        missing.then(|| FieldError::required(format!("{path}.{field}"), ""))
    };
    match kind {
        "hostPath" => {
            let host_path = text(value, "/path");
            let back = host_path.split('/').any(|part| part == "..");
            let back =
                back.then(|| FieldError::invalid(format!("{path}.path"), json!(host_path), "must not contain '..'"));
            required("path").into_iter().chain(back).collect()
        }
        "secret" => required("secretName").into_iter().collect(),
        "configMap" => required("name").into_iter().collect(),
        "persistentVolumeClaim" => required("claimName").into_iter().collect(),
        "csi" => required("driver").into_iter().collect(),
        "nfs" => required("server").into_iter().chain(required("path")).collect(),
        _ => Vec::new(),
    }
}
