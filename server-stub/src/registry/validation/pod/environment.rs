//! The rules for the variables of containers.

use kubewire_client::validation::{config_map_key, dns1123_subdomain};
use serde_json::{Value, json};

use super::container::PodFacts;
use super::references::{self, Place};
use crate::registry::validation::values::{broken, get, items, text};
use crate::status::FieldError;

const NAME: &str = "a valid environment variable name must consist only of printable ASCII characters other than '='";
const SOURCES: [&str; 5] = [
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
];

/// The rules for the variables of a container.
pub(super) fn validate(container: &Value, facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, variable) in items(container, "/env").iter().enumerate() {
        let path = format!("{path}.env[{index}]");
        let (name, field) = (text(variable, "/name"), format!("{path}.name"));
        match name {
            "" => errors.push(FieldError::required(field, "")),
            name if !is_name(name) => errors.push(FieldError::invalid(field, json!(name), NAME)),
            _ => {}
        }
        if get(variable, "/valueFrom").is_object() {
            errors.extend(value_from(variable, facts, &format!("{path}.valueFrom")));
        }
    }
    for (index, source) in items(container, "/envFrom").iter().enumerate() {
        errors.extend(env_from(source, index, &format!("{path}.envFrom")));
    }
    errors
}

fn is_name(name: &str) -> bool {
    name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=')
}

fn value_from(variable: &Value, facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut count = 0;
    for kind in SOURCES {
        let source = get(variable, &format!("/valueFrom/{kind}"));
        if source.is_null() {
            continue;
        }
        count += 1;
        let path = format!("{path}.{kind}");
        errors.extend(match kind {
            "fieldRef" => references::field(source, &path, Place::Variable),
            "resourceFieldRef" => references::resource_field(source, &path, Place::Variable),
            "fileKeyRef" => file_key(source, facts, &path),
            _ => key_of(source, &path),
        });
    }
    let detail = match (count, text(variable, "/value").is_empty()) {
        (0, _) => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        }
        (_, false) => "may not be specified when `value` is not empty",
        (1, true) => return errors,
        (_, true) => "may not have more than one field specified at a time",
    };
    errors.push(FieldError::invalid(path, json!(""), detail));
    errors
}

fn key_of(source: &Value, path: &str) -> Vec<FieldError> {
    let (name, key) = (text(source, "/name"), text(source, "/key"));
    let mut errors = broken(&format!("{path}.name"), name, dns1123_subdomain(name));
    let field = format!("{path}.key");
    match key {
        "" => errors.push(FieldError::required(field, "")),
        key => errors.extend(broken(&field, key, config_map_key(key))),
    }
    errors
}

fn file_key(source: &Value, facts: &PodFacts<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["key", "path", "volumeName"] {
        if text(source, &format!("/{field}")).is_empty() {
            errors.push(FieldError::required(format!("{path}.{field}"), ""));
        }
    }
    let volume = text(source, "/volumeName");
    if facts.volume(volume).is_none() {
        errors.push(FieldError::not_found(format!("{path}.volumeName"), json!(volume)));
    }
    errors
}

fn env_from(source: &Value, index: usize, path: &str) -> Vec<FieldError> {
    let at = format!("{path}[{index}]");
    let mut errors = Vec::new();
    let prefix = text(source, "/prefix");
    if !is_name(prefix) {
        errors.push(FieldError::invalid(format!("{at}.prefix"), json!(prefix), NAME));
    }
    let mut count = 0;
    for kind in ["configMapRef", "secretRef"] {
        let reference = get(source, &format!("/{kind}"));
        if reference.is_null() {
            continue;
        }
        count += 1;
        let field = format!("{at}.{kind}.name");
        match text(reference, "/name") {
            "" => errors.push(FieldError::required(field, "")),
            name => errors.extend(broken(&field, name, dns1123_subdomain(name))),
        }
    }
    let detail = match count {
        0 => "must specify one of: `configMapRef` or `secretRef`",
        1 => return errors,
        _ => "may not have more than one field specified at a time",
    };
    // Upstream does not say which of them.
    errors.push(FieldError::invalid(path, json!(""), detail));
    errors
}
