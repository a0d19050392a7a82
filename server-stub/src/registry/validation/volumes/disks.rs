//! Volumes on disks of clouds and storage systems.

use std::sync::LazyLock;

use kubewire_client::validation::dns1123_label;
use regex::Regex;
use serde_json::{Value, json};

use super::{Owner, required, secret_reference};
use crate::registry::validation::values::{broken, flag, get, items, number, one_of, text, texts};
use crate::status::FieldError;

static IQN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"iqn\.\d{4}-\d{2}\.([[:alnum:]\-.]+)(:[^,;*&$|\s]+)$").ok());
static EUI: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("^eui.[[:alnum:]]{16}$").ok());
static NAA: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("^naa.[[:alnum:]]{32}$").ok());

/// The rules for a source of this kind; the path is that of the volume.
pub(super) fn validate(kind: &str, source: &Value, parent: &str, owner: Owner<'_>) -> Vec<FieldError> {
    let path = format!("{parent}.{kind}");
    let needs = |fields: &[&str]| required(source, &path, fields);
    let lists = |fields: &[&str]| -> Vec<FieldError> {
        let empty = fields
            .iter()
            .filter(|field| items(source, &format!("/{field}")).is_empty());
        empty
            .map(|field| FieldError::required(format!("{path}.{field}"), ""))
            .collect()
    };
    match kind {
        "gcePersistentDisk" => {
            // Upstream's name for it.
            let path = format!("{parent}.persistentDisk");
            let mut errors = required(source, &path, &["pdName"]);
            errors.extend(within(
                source,
                "partition",
                "must be between 1 and 255, inclusive",
                &path,
            ));
            errors
        }
        "awsElasticBlockStore" => {
            let mut errors = needs(&["volumeID"]);
            errors.extend(within(
                source,
                "partition",
                "must be between 1 and 255, inclusive",
                &path,
            ));
            errors
        }
        "iscsi" => iscsi(source, parent, owner),
        "glusterfs" => {
            let mut errors = needs(&["endpoints", "path"]);
            if let (Some(namespace), false) = (get(source, "/endpointsNamespace").as_str(), owner.is_pod()) {
                let field = format!("{path}.endpointsNamespace");
                match namespace {
                    "" => {
                        let detail = "if the endpointnamespace is set, it must be a valid namespace name";
                        errors.push(FieldError::invalid(field, json!(""), detail));
                    }
                    namespace => errors.extend(broken(&field, namespace, dns1123_label(namespace))),
                }
            }
            errors
        }
        "flocker" => flocker(source, &path),
        "rbd" => lists(&["monitors"]).into_iter().chain(needs(&["image"])).collect(),
        "cephfs" => lists(&["monitors"]),
        "cinder" => {
            let mut errors = needs(&["volumeID"]);
            errors.extend(secret_reference(source, "secretRef", &path, owner));
            errors
        }
        "quobyte" => quobyte(source, &path),
        "fc" => fibre_channel(source, &path),
        "azureFile" => {
            let mut errors = needs(&["secretName", "shareName"]);
            if get(source, "/secretNamespace").as_str() == Some("") {
                errors.extend(needs(&["secretNamespace"]));
            }
            errors
        }
        "vsphereVolume" => needs(&["volumePath"]),
        "photonPersistentDisk" => needs(&["pdID"]),
        "portworxVolume" => needs(&["volumeID"]),
        "azureDisk" => azure_disk(source, &path),
        "storageos" => storage_os(source, &path, owner),
        "scaleIO" => needs(&["gateway", "system", "volumeName"]),
        _ => Vec::new(),
    }
}

/// A number of at most a byte.
fn within(source: &Value, name: &str, detail: &str, path: &str) -> Option<FieldError> {
    let value = number(source, &format!("/{name}")).filter(|value| !(0..=255).contains(value))?;
    Some(FieldError::invalid(format!("{path}.{name}"), json!(value), detail))
}

fn iscsi(source: &Value, parent: &str, owner: Owner<'_>) -> Vec<FieldError> {
    let path = format!("{parent}.iscsi");
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = required(source, &path, &["targetPortal"]);
    let portal = text(source, "/targetPortal");
    let initiator = get(source, "/initiatorName").as_str();
    let (name, shown, field, condition) = match owner {
        Owner::Pod { volume, .. } => (volume, volume, format!("{parent}.name"), "when"),
        Owner::Volume(name) => (name, portal, at("targetportal"), "if"),
    };
    if initiator.is_some() && name.len() + 1 + portal.len() > 64 {
        let detail = format!(
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters {condition} \
             iscsi.initiatorName is specified."
        );
        errors.push(FieldError::invalid(field, json!(shown), detail));
    }
    match text(source, "/iqn") {
        "" => errors.push(FieldError::required(at("iqn"), "")),
        iqn => errors.extend(qualified(iqn, &at("iqn"), owner)),
    }
    errors.extend(within(source, "lun", "must be between 0 and 255, inclusive", &path));
    let checked = flag(source, "/chapAuthDiscovery") || flag(source, "/chapAuthSession");
    let secret = get(source, "/secretRef");
    if checked && secret.is_null() {
        errors.push(FieldError::required(at("secretRef"), ""));
    }
    if !owner.is_pod() && !secret.is_null() {
        errors.extend(required(secret, &at("secretRef"), &["name"]));
    }
    errors.extend(initiator.and_then(|name| qualified(name, &at("initiatorname"), owner)));
    errors
}

/// A name in one of the three formats of iSCSI.
fn qualified(name: &str, field: &str, owner: Owner<'_>) -> Option<FieldError> {
    let formats = [("iqn", &IQN), ("eui", &EUI), ("naa", &NAA)];
    let format = formats.iter().find(|(prefix, _)| name.starts_with(prefix));
    let detail = match format {
        None if owner.is_pod() => "must be valid format starting with iqn, eui, or naa",
        Some((_, format)) if format.as_ref().is_none_or(|format| format.is_match(name)) => return None,
        _ => "must be valid format",
    };
    Some(FieldError::invalid(field, json!(name), detail))
}

fn flocker(source: &Value, path: &str) -> Vec<FieldError> {
    let (name, id) = (text(source, "/datasetName"), text(source, "/datasetUUID"));
    let mut errors = Vec::new();
    if name.is_empty() && id.is_empty() {
        let detail = "one of datasetName and datasetUUID is required";
        errors.push(FieldError::required(path, detail));
    }
    if !name.is_empty() && !id.is_empty() {
        let detail = "datasetName and datasetUUID can not be specified simultaneously";
        errors.push(FieldError::invalid(path, json!("resource"), detail));
    }
    if name.contains('/') {
        let field = format!("{path}.datasetName");
        errors.push(FieldError::invalid(field, json!(name), "must not contain '/'"));
    }
    errors
}

fn quobyte(source: &Value, path: &str) -> Vec<FieldError> {
    let detail = "must be a host:port pair or multiple pairs separated by commas";
    let field = format!("{path}.registry");
    let registry = text(source, "/registry");
    let mut errors = Vec::new();
    if registry.is_empty() {
        errors.push(FieldError::required(field, detail));
    } else if text(source, "/tenant").len() >= 65 {
        let detail = "must be a UUID and may not exceed a length of 64 characters";
        errors.push(FieldError::required(format!("{path}.tenant"), detail));
    } else {
        let pairs = registry.split(',').filter(|pair| pair.matches(':').count() != 1);
        errors.extend(pairs.map(|_| FieldError::invalid(&field, json!(registry), detail)));
    }
    errors.extend(required(source, path, &["volume"]));
    errors
}

fn fibre_channel(source: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let (targets, ids) = (texts(source, "/targetWWNs"), texts(source, "/wwids"));
    let mut errors = Vec::new();
    match (targets.is_empty(), ids.is_empty()) {
        (true, true) => {
            let detail = "must specify either targetWWNs or wwids, but not both";
            errors.push(FieldError::required(at("targetWWNs"), detail));
        }
        (false, false) => {
            let detail = "targetWWNs and wwids can not be specified simultaneously";
            errors.push(FieldError::invalid(at("targetWWNs"), json!(targets), detail));
        }
        _ => {}
    }
    if !targets.is_empty() {
        if get(source, "/lun").is_null() {
            let detail = "lun is required if targetWWNs is specified";
            errors.push(FieldError::required(at("lun"), detail));
        }
        errors.extend(within(source, "lun", "must be between 0 and 255, inclusive", path));
    }
    errors
}

fn azure_disk(source: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = required(source, path, &["diskName", "diskURI"]);
    let caching = ["None", "ReadOnly", "ReadWrite"];
    errors.extend(one_of(&at("cachingMode"), text(source, "/cachingMode"), &caching));
    let kind = text(source, "/kind");
    errors.extend(one_of(&at("kind"), kind, &["Dedicated", "Managed", "Shared"]));
    let (prefix, format) = match kind {
        "Managed" => (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ),
        _ => (
            "https://",
            "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
        ),
    };
    let uri = text(source, "/diskURI");
    if !uri.starts_with(prefix) {
        errors.push(FieldError::not_supported(at("diskURI"), json!(uri), &[format]));
    }
    errors
}

fn storage_os(source: &Value, path: &str, owner: Owner<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = format!("{path}.volumeName");
    match text(source, "/volumeName") {
        "" => errors.push(FieldError::required(field, "")),
        name => errors.extend(broken(&field, name, dns1123_label(name))),
    }
    let namespace = text(source, "/volumeNamespace");
    if !namespace.is_empty() {
        let field = format!("{path}.volumeNamespace");
        errors.extend(broken(&field, namespace, dns1123_label(namespace)));
    }
    errors.extend(secret_reference(source, "secretRef", path, owner));
    errors
}
