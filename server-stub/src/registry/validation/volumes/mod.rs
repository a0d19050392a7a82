//! The rules for where volumes lie: in pods and in persistent volumes.

mod disks;
mod files;
mod plugins;

use kubewire_client::validation::dns1123_subdomain;
use serde_json::{Value, json};

use super::storage;
use super::values::{broken, get, one_of, one_of_type, text};
use crate::registry::quantity::nanos;
use crate::status::FieldError;

/// Who has a volume.
#[derive(Clone, Copy)]
pub(super) enum Owner<'a> {
    /// A pod; the name is that of the volume. `pod` is its own, which templates do not have.
    Pod { volume: &'a str, pod: Option<&'a Value> },
    /// A persistent volume, by name.
    Volume(&'a str),
}

impl Owner<'_> {
    fn is_pod(self) -> bool {
        matches!(self, Self::Pod { .. })
    }
}

/// The order in which kube-apiserver looks for the sources of a pod's volumes.
const OF_PODS: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

/// The same for persistent volumes.
const OF_VOLUMES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

/// Sources that are there no more, or soon will be.
pub(super) const OLD: [(&str, &str); 9] = [
    ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// The rules for the sources of a volume at a path, of which there must be one.
pub(super) fn validate(volume: &Value, path: &str, owner: Owner<'_>) -> Vec<FieldError> {
    let order: &[&str] = if owner.is_pod() { &OF_PODS } else { &OF_VOLUMES };
    let present = |kind: &&&str| volume.get(**kind).is_some_and(|source| !source.is_null());
    let mut kinds = order.iter().filter(present);
    let Some(first) = kinds.next() else {
        return vec![FieldError::required(path, "must specify a volume type")];
    };
    let mut errors = of_kind(first, get(volume, &format!("/{first}")), path, owner);
    let others: Vec<&&str> = kinds.collect();
    // Upstream does not mind this one beside others.
    let is_free = |kind: &str| kind == "flexVolume" && !owner.is_pod();
    if others.iter().any(|kind| is_free(kind)) {
        errors.extend(of_kind("flexVolume", get(volume, "/flexVolume"), path, owner));
    }
    errors.extend(others.into_iter().filter(|kind| !is_free(kind)).map(|kind| {
        // Upstream's spelling.
        let kind = match *kind {
            "cephfs" => "cephFS",
            "downwardAPI" => "downwarAPI",
            kind => kind,
        };
        FieldError::forbidden(format!("{path}.{kind}"), "may not specify more than 1 volume type")
    }));
    errors
}

fn of_kind(kind: &str, source: &Value, parent: &str, owner: Owner<'_>) -> Vec<FieldError> {
    let path = format!("{parent}.{kind}");
    match kind {
        "emptyDir" => empty_dir(source, &path),
        "hostPath" => host_path(source, &path),
        "secret" => files::keys(source, "secretName", &path),
        "configMap" => files::keys(source, "name", &path),
        "downwardAPI" => files::downward(source, &path),
        "projected" => files::projected(source, &path),
        "persistentVolumeClaim" => required(source, &path, &["claimName"]),
        "gitRepo" => git(source, &path),
        "image" => image(source, &path),
        "ephemeral" => ephemeral(source, parent, owner),
        "local" => match text(source, "/path") {
            "" => required(source, &path, &["path"]),
            local => no_backsteps(local, &format!("{path}.path")).into_iter().collect(),
        },
        "nfs" => nfs(source, &path),
        "csi" => plugins::csi(source, &path, owner),
        "flexVolume" => plugins::flex(source, &path),
        _ => disks::validate(kind, source, parent, owner),
    }
}

/// "Required value" for each text that is not there.
fn required(source: &Value, path: &str, fields: &[&str]) -> Vec<FieldError> {
    let missing = fields
        .iter()
        .filter(|field| text(source, &format!("/{}", field.replace('.', "/"))).is_empty());
    missing
        .map(|field| FieldError::required(format!("{path}.{field}"), ""))
        .collect()
}

/// A reference to a secret, if there is one, has a name, and in persistent volumes a namespace.
fn secret_reference(source: &Value, field: &str, path: &str, owner: Owner<'_>) -> Vec<FieldError> {
    let reference = get(source, &format!("/{field}"));
    let fields: &[&str] = if owner.is_pod() {
        &["name"]
    } else {
        &["name", "namespace"]
    };
    match reference {
        Value::Null => Vec::new(),
        reference => required(reference, &format!("{path}.{field}"), fields),
    }
}

fn empty_dir(source: &Value, path: &str) -> Vec<FieldError> {
    let limit = nanos(text(source, "/sizeLimit")).unwrap_or_default();
    let detail = "SizeLimit field must be a valid resource quantity";
    let negative = (limit < 0).then(|| FieldError::forbidden(format!("{path}.sizeLimit"), detail));
    negative.into_iter().collect()
}

fn host_path(source: &Value, path: &str) -> Vec<FieldError> {
    let host_path = text(source, "/path");
    let mut errors = required(source, path, &["path"]);
    if !errors.is_empty() {
        return errors;
    }
    errors.extend(no_backsteps(host_path, &format!("{path}.path")));
    errors.extend(one_of_type(
        &format!("{path}.type"),
        text(source, "/type"),
        "v1.HostPathType",
    ));
    errors
}

fn git(source: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = required(source, path, &["repository"]);
    errors.extend(descending_path(
        text(source, "/directory"),
        &format!("{path}.directory"),
    ));
    errors
}

fn image(source: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = required(source, path, &["reference"]);
    let policy = text(source, "/pullPolicy");
    let field = format!("{path}.pullPolicy");
    errors.extend(one_of(&field, policy, &["Always", "IfNotPresent", "Never"]));
    errors
}

fn nfs(source: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = required(source, path, &["server", "path"]);
    let exported = text(source, "/path");
    if !exported.starts_with('/') {
        let detail = "must be an absolute path";
        errors.push(FieldError::invalid(format!("{path}.path"), json!(exported), detail));
    }
    errors
}

/// A volume that is claimed for a pod, with it.
fn ephemeral(source: &Value, parent: &str, owner: Owner<'_>) -> Vec<FieldError> {
    let path = format!("{parent}.ephemeral.volumeClaimTemplate");
    let template = get(source, "/volumeClaimTemplate");
    if template.is_null() {
        return vec![FieldError::required(path, "")];
    }
    let mut errors = storage::claim_template(template, &path);
    if let Owner::Pod { volume, pod: Some(pod) } = owner
        && !text(pod, "/metadata/name").is_empty()
        && !volume.is_empty()
    {
        let claim = format!("{}-{volume}", text(pod, "/metadata/name"));
        let wrong = dns1123_subdomain(&claim).into_iter();
        let wrong = wrong.map(|rule| format!("PVC name {claim:?}: {rule}")).collect();
        errors.extend(broken(&format!("{parent}.name"), volume, wrong));
    }
    errors
}

/// A path without `..`.
pub(super) fn no_backsteps(value: &str, field: &str) -> Option<FieldError> {
    let back = value.split('/').any(|part| part == "..");
    back.then(|| FieldError::invalid(field, json!(value), "must not contain '..'"))
}

/// A path below a folder.
pub(super) fn descending_path(value: &str, field: &str) -> Vec<FieldError> {
    let absolute = value
        .starts_with('/')
        .then(|| FieldError::invalid(field, json!(value), "must be a relative path"));
    absolute.into_iter().chain(no_backsteps(value, field)).collect()
}

#[cfg(test)]
mod tests;
