//! Volumes whose files the kubelet writes.

use std::collections::HashSet;

use kubewire_client::validation::{dns1123_label, dns1123_subdomain, qualified_name};
use serde_json::{Value, json};

use super::{descending_path, required};
use crate::registry::validation::pod::references::{self, Place};
use crate::registry::validation::selector;
use crate::registry::validation::values::{broken, entries, get, items, number, one_of, ordered, text};
use crate::status::FieldError;

const KEY_TYPES: [&str; 6] = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];

/// A secret or a config map, whose name is in this field.
pub(super) fn keys(source: &Value, name: &str, path: &str) -> Vec<FieldError> {
    let mut errors = required(source, path, &[name]);
    errors.extend(mode(source, "defaultMode", path));
    for (index, item) in items(source, "/items").iter().enumerate() {
        errors.extend(key_to_path(item, &format!("{path}.items[{index}]")));
    }
    errors
}

/// Fields of the pod.
pub(super) fn downward(source: &Value, path: &str) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = mode(source, "defaultMode", path).into_iter().collect();
    // Upstream does not say which of them.
    errors.extend(
        items(source, "/items")
            .iter()
            .flat_map(|file| downward_file(file, path)),
    );
    errors
}

/// Files from several sources, which must not have the same paths.
pub(super) fn projected(source: &Value, path: &str) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = mode(source, "defaultMode", path).into_iter().collect();
    let mut paths = HashSet::new();
    for (index, projection) in items(source, "/sources").iter().enumerate() {
        let at = format!("{path}.sources[{index}]");
        let mut count = 0;
        for kind in [
            "secret",
            "configMap",
            "downwardAPI",
            "serviceAccountToken",
            "clusterTrustBundle",
            "podCertificate",
        ] {
            let source = get(projection, &format!("/{kind}"));
            if source.is_null() {
                continue;
            }
            count += 1;
            errors.extend(projection_of(kind, source, &format!("{at}.{kind}"), path));
            for (file, shown) in written(kind, source) {
                if !paths.insert(file) {
                    errors.push(FieldError::invalid(path, json!(shown), "conflicting duplicate paths"));
                }
            }
        }
        if count > 1 {
            let detail = "may not specify more than 1 volume type per source";
            errors.push(FieldError::forbidden(at, detail));
        }
    }
    errors
}

/// The paths that a source writes, each with what an error about it shows.
fn written<'a>(kind: &str, source: &'a Value) -> Vec<(&'a str, &'a str)> {
    let paths = || items(source, "/items").iter().map(|item| text(item, "/path"));
    match kind {
        "secret" | "configMap" => {
            let name = text(source, "/name");
            paths()
                .filter(|path| !path.is_empty())
                .map(|path| (path, name))
                .collect()
        }
        "downwardAPI" => paths()
            .filter(|path| !path.is_empty())
            .map(|path| (path, path))
            .collect(),
        "clusterTrustBundle" => vec![(text(source, "/path"), text(source, "/path"))],
        _ => Vec::new(),
    }
}

fn projection_of(kind: &str, source: &Value, path: &str, volume: &str) -> Vec<FieldError> {
    match kind {
        "secret" | "configMap" => keys(source, "name", path),
        "downwardAPI" => items(source, "/items")
            .iter()
            .flat_map(|file| downward_file(file, path))
            .collect(),
        "serviceAccountToken" => token(source, path, volume),
        "clusterTrustBundle" => trust_bundle(source, path),
        _ => certificate(source, path),
    }
}

fn key_to_path(item: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = required(item, path, &["key", "path"]);
    errors.extend(local_path(text(item, "/path"), &format!("{path}.path")));
    errors.extend(mode(item, "mode", path));
    errors
}

fn downward_file(file: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = required(file, path, &["path"]);
    errors.extend(local_path(text(file, "/path"), &format!("{path}.path")));
    let (field, resource) = (get(file, "/fieldRef"), get(file, "/resourceFieldRef"));
    match (field.is_null(), resource.is_null()) {
        (true, true) => {
            let detail = "one of fieldRef and resourceFieldRef is required";
            errors.push(FieldError::required(path, detail));
        }
        (true, false) => {
            let path = format!("{path}.resourceFieldRef");
            errors.extend(references::resource_field(resource, &path, Place::Volume));
        }
        (false, both) => {
            errors.extend(references::field(field, &format!("{path}.fieldRef"), Place::Volume));
            if !both {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.push(FieldError::invalid(path, json!("resource"), detail));
            }
        }
    }
    errors.extend(mode(file, "mode", path));
    errors
}

fn token(source: &Value, path: &str, volume: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let seconds = number(source, "/expirationSeconds").unwrap_or_default();
    let detail = match seconds {
        ..600 => Some("may not specify a duration less than 10 minutes"),
        4_294_967_297.. => Some("may not specify a duration larger than 2^32 seconds"),
        _ => None,
    };
    let field = format!("{path}.expirationSeconds");
    errors.extend(detail.map(|detail| FieldError::invalid(field, json!(seconds), detail)));
    // Upstream names the path of the volume.
    errors.extend(required(source, volume, &["path"]));
    errors.extend(local_path(text(source, "/path"), &format!("{volume}.path")));
    errors
}

fn trust_bundle(source: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    let (name, signer) = (get(source, "/name").as_str(), get(source, "/signerName").as_str());
    match (name, signer) {
        (Some(_), Some(_)) => {
            let detail = "only one of name and signerName may be used";
            errors.push(FieldError::invalid(path, Value::Null, detail).shown_as(shown_bundle(source)));
        }
        (Some(name), None) => {
            if name.is_empty() {
                errors.push(FieldError::required(at("name"), "must be a valid object name"));
            }
            let rules = bundle_name(name).into_iter();
            let rules = rules.map(|rule| format!("not a valid clustertrustbundlename: {rule}"));
            errors.extend(broken(&at("name"), name, rules.collect()));
            let labels = get(source, "/labelSelector");
            if !labels.is_null() {
                let detail = "labelSelector must be unset if name is specified";
                let error = FieldError::invalid(at("labelSelector"), labels.clone(), detail);
                errors.push(error.shown_as(selector::shown(labels)));
            }
        }
        (None, Some(signer)) => {
            if signer.is_empty() {
                errors.push(FieldError::required(at("signerName"), "must be a valid signer name"));
            }
            errors.extend(signer_name(signer, &at("signerName")));
            errors.extend(selector::validate(get(source, "/labelSelector"), &at("labelSelector")));
        }
        (None, None) => {
            let detail = "either name or signerName must be specified";
            errors.push(FieldError::required(path, detail));
        }
    }
    errors.extend(required(source, path, &["path"]));
    errors.extend(local_path(text(source, "/path"), &at("path")));
    errors
}

/// The fields of the type inside of kube-apiserver.
fn shown_bundle(source: &Value) -> String {
    let fields = ["name", "signerName", "labelSelector", "optional", "path", "user"];
    let names = ["Name", "SignerName", "LabelSelector", "Optional", "Path", "User"];
    let value = |field: &str| match (field, get(source, &format!("/{field}"))) {
        ("path", Value::Null) => json!(""),
        (_, value) => value.clone(),
    };
    let renamed: Value = names
        .iter()
        .zip(fields)
        .map(|(name, field)| ((*name).to_owned(), value(field)))
        .collect();
    ordered(&renamed, &names)
}

fn bundle_name(name: &str) -> Vec<String> {
    // A bundle of a signer is called as it, with colons for slashes.
    match name.rsplit_once(':') {
        Some((_, rest)) => dns1123_subdomain(rest),
        None => dns1123_subdomain(name),
    }
}

fn certificate(source: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    match text(source, "/signerName") {
        "" => errors.push(FieldError::required(at("signerName"), "")),
        signer => errors.extend(signer_name(signer, &at("signerName"))),
    }
    errors.extend(one_of(&at("keyType"), text(source, "/keyType"), &KEY_TYPES));
    if let Some(seconds) = number(source, "/maxExpirationSeconds") {
        let detail = match seconds {
            ..3600 => Some("if provided, maxExpirationSeconds must be >= 3600"),
            7_862_401.. => Some("if provided, maxExpirationSeconds must be <= 7862400"),
            _ => None,
        };
        let field = at("maxExpirationSeconds");
        errors.extend(detail.map(|detail| FieldError::invalid(field, json!(seconds), detail)));
    }
    let paths = ["credentialBundlePath", "keyPath", "certificateChainPath"];
    if paths.iter().all(|field| text(source, &format!("/{field}")).is_empty()) {
        let detail = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath";
        errors.push(FieldError::required(path, detail));
    }
    for field in paths {
        errors.extend(local_path(text(source, &format!("/{field}")), &at(field)));
    }
    for (key, _) in entries(source, "/userAnnotations") {
        let rules = qualified_name(&key.to_lowercase());
        errors.extend(broken(&at("userAnnotations"), key, rules));
        if !key.contains('/') {
            let detail = "must be a domain-prefixed key (such as \"acme.io/foo\")";
            errors.push(FieldError::invalid(at("userAnnotations"), json!(key), detail));
        }
    }
    errors
}

/// `example.com/signer-name`.
fn signer_name(name: &str, field: &str) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![FieldError::required(field, "")];
    }
    let Some((domain, path)) = name.split_once('/').filter(|(_, path)| !path.contains('/')) else {
        let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return vec![FieldError::invalid(field, json!(name), detail)];
    };
    let mut errors = broken(field, domain, dns1123_subdomain(domain));
    if domain.split('.').count() < 2 {
        let detail = "should be a domain with at least two segments separated by dots";
        errors.push(FieldError::invalid(field, json!(domain), detail));
    }
    for part in path.split('.') {
        errors.extend(broken(field, part, dns1123_label(part)));
    }
    errors
}

/// A path that no file of the kubelet has.
fn local_path(value: &str, field: &str) -> Vec<FieldError> {
    let mut errors = descending_path(value, field);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.push(FieldError::invalid(field, json!(value), "must not start with '..'"));
    }
    errors
}

fn mode(source: &Value, name: &str, path: &str) -> Option<FieldError> {
    let mode = number(source, &format!("/{name}")).filter(|mode| !(0..=0o777).contains(mode))?;
    let detail = "must be a number between 0 and 0777 (octal), both inclusive";
    Some(FieldError::invalid(format!("{path}.{name}"), json!(mode), detail))
}
