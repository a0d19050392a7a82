//! `ServiceAccount`: a pod acts as an account that exists, and gets its token and its secrets for images. It is off unless
//! `--enable-admission-plugins` names it: nobody here makes the account `default` of each namespace.

use std::sync::Arc;

use serde_json::{Value, json};

use super::request::PluginAdmission;
use crate::registry::StoredObject;
use crate::registry::validation::values::{get, items, put, text};
use crate::status::ApiError;

const DEFAULT: &str = "default";
const TOKEN_VOLUME: &str = "kube-api-access-";
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Seconds. A kubelet renews the token long before.
const TOKEN_EXPIRATION: i64 = 60 * 60 + 7;
const CONTAINER_LISTS: [&str; 2] = ["initContainers", "containers"];

impl PluginAdmission {
    /// Fills in what a new pod has from its account.
    pub(super) async fn set_service_account(&self, pod: &mut Value) -> Result<(), ApiError> {
        if is_mirror(pod) {
            return Ok(());
        }
        if text(pod, "/spec/serviceAccountName").is_empty() {
            for field in ["serviceAccountName", "serviceAccount"] {
                put(pod, &["spec", field], json!(DEFAULT));
            }
        }
        let account = self.service_account(pod).await?.document();
        let automount = |object: &Value, pointer: &str| get(object, pointer).as_bool();
        let wanted = automount(pod, "/spec/automountServiceAccountToken");
        if wanted
            .or(automount(&account, "/automountServiceAccountToken"))
            .unwrap_or(true)
        {
            self.mount_token(pod);
        }
        let secrets = items(&account, "/imagePullSecrets");
        if items(pod, "/spec/imagePullSecrets").is_empty() && !secrets.is_empty() {
            put(pod, &["spec", "imagePullSecrets"], secrets.into());
        }
        Ok(())
    }

    /// Refuses pods that refer to what their account does not, where that is to be watched.
    pub(super) async fn check_service_account(&self, pod: &Value) -> Result<(), ApiError> {
        let ephemeral = self.attributes.subresource == "ephemeralcontainers";
        let refused = |why: String| self.place().forbidden(pod, why);
        if is_mirror(pod) && !ephemeral {
            return mirror_fault(pod).map_or(Ok(()), |why| Err(refused(why.to_owned())));
        }
        let account = self.service_account(pod).await?.document();
        let enforced = &get(&account, "/metadata/annotations")["kubernetes.io/enforce-mountable-secrets"];
        if enforced.as_str().and_then(crate::endpoints::parse_bool) != Some(true) {
            return Ok(());
        }
        if ephemeral {
            let fault = secrets_of_containers(pod, "ephemeralContainers", "ephemeral container");
            let fault = fault
                .into_iter()
                .find_map(|(secret, what)| foreign(&account, secret, &what));
            // kube-apiserver has no kind for this one.
            return fault.map_or(Ok(()), |why| Err(ApiError::unclassified(why)));
        }
        let volumes = items(pod, "/spec/volumes").iter().filter_map(|volume| {
            let secret = get(volume, "/secret/secretName").as_str()?;
            Some((secret, "volume with".to_owned()))
        });
        let containers = [("initContainers", "init container"), ("containers", "container")];
        let containers = containers
            .into_iter()
            .flat_map(|(list, kind)| secrets_of_containers(pod, list, kind));
        let mut all = volumes.chain(containers);
        if let Some(why) = all.find_map(|(secret, what)| foreign(&account, secret, &what)) {
            return Err(refused(why));
        }
        let known = names(&account, "/imagePullSecrets");
        let mut pulls = names(pod, "/spec/imagePullSecrets").into_iter().enumerate();
        match pulls.find(|(_, name)| !known.contains(name)) {
            Some((index, name)) => Err(refused(format!(
                "imagePullSecrets[{index}].name=\"{name}\" is not allowed because service account {} does not reference \
                 that imagePullSecret",
                text(&account, "/metadata/name")
            ))),
            None => Ok(()),
        }
    }

    async fn service_account(&self, pod: &Value) -> Result<Arc<StoredObject>, ApiError> {
        let (place, name) = (self.place(), text(pod, "/spec/serviceAccountName"));
        let store = place.store("", "serviceaccounts")?;
        let namespace = place.namespace;
        let found = store.get_written(namespace, name).await;
        found.map_err(|_| {
            let message =
                format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
            place.forbidden(pod, message)
        })
    }

    /// Mounts the account's token where programs look for it, in every container that has nothing there.
    fn mount_token(&self, pod: &mut Value) {
        let volumes = items(pod, "/spec/volumes");
        let present = volumes
            .iter()
            .map(|volume| text(volume, "/name"))
            .find(|name| name.starts_with(TOKEN_VOLUME))
            .map(str::to_owned);
        let is_new = present.is_none();
        let name = present.unwrap_or_else(|| format!("{TOKEN_VOLUME}{}", self.attributes.ids.name_suffix()));
        let mut needed = false;
        for list in CONTAINER_LISTS {
            let containers = pod.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                let mut mounts = items(container, "/volumeMounts").to_vec();
                if mounts.iter().any(|mount| text(mount, "/mountPath") == TOKEN_PATH) {
                    continue;
                }
                mounts.push(json!({ "name": name, "readOnly": true, "mountPath": TOKEN_PATH }));
                put(container, &["volumeMounts"], mounts.into());
                needed = true;
            }
        }
        if is_new && needed {
            let mut volumes = items(pod, "/spec/volumes").to_vec();
            volumes.push(token_volume(&name));
            put(pod, &["spec", "volumes"], volumes.into());
        }
    }
}

fn token_volume(name: &str) -> Value {
    let namespace =
        json!({ "path": "namespace", "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } });
    let sources = json!([
        { "serviceAccountToken": { "path": "token", "expirationSeconds": TOKEN_EXPIRATION } },
        { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
        { "downwardAPI": { "items": [namespace] } },
    ]);
    json!({ "name": name, "projected": { "sources": sources, "defaultMode": 0o644 } })
}

/// Whether it only shows a pod that a kubelet has from elsewhere.
fn is_mirror(pod: &Value) -> bool {
    !get(pod, "/metadata/annotations")["kubernetes.io/config.mirror"].is_null()
}

/// What a mirror pod refers to although it must not.
fn mirror_fault(pod: &Value) -> Option<&'static str> {
    let volumes = items(pod, "/spec/volumes");
    let sources = volumes.iter().flat_map(|volume| items(volume, "/projected/sources"));
    let has_token = |mut sources: Box<dyn Iterator<Item = &Value> + '_>| {
        sources.any(|source| !get(source, "/serviceAccountToken").is_null())
    };
    if !text(pod, "/spec/serviceAccountName").is_empty() {
        return Some("a mirror pod may not reference service accounts");
    }
    if refers_to_secrets(get(pod, "/spec")) {
        return Some("a mirror pod may not reference secrets");
    }
    has_token(Box::new(sources)).then_some("a mirror pod may not use ServiceAccountToken volume projections")
}

/// Whether something in a specification names a secret.
fn refers_to_secrets(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let names_one = matches!(
                name.as_str(),
                "secret" | "secretRef" | "secretKeyRef" | "imagePullSecrets" | "nodePublishSecretRef"
            );
            names_one && (value.is_object() || value.as_array().is_some_and(|all| !all.is_empty()))
                || refers_to_secrets(value)
        }),
        Value::Array(elements) => elements.iter().any(refers_to_secrets),
        _ => false,
    }
}

/// The secrets that containers have in their environment, each with who refers to it.
fn secrets_of_containers<'a>(pod: &'a Value, list: &str, kind: &str) -> Vec<(&'a str, String)> {
    let mut found = Vec::new();
    for container in items(pod, &format!("/spec/{list}")) {
        let name = text(container, "/name");
        for variable in items(container, "/env") {
            if let Some(secret) = get(variable, "/valueFrom/secretKeyRef/name").as_str() {
                let variable = text(variable, "/name");
                found.push((secret, format!("{kind} {name} with envVar {variable} referencing")));
            }
        }
        for source in items(container, "/envFrom") {
            if let Some(secret) = get(source, "/secretRef/name").as_str() {
                found.push((secret, format!("{kind} {name} with envFrom referencing")));
            }
        }
    }
    found
}

/// What is wrong with a secret that the account does not list.
fn foreign(account: &Value, secret: &str, what: &str) -> Option<String> {
    let name = text(account, "/metadata/name");
    (!names(account, "/secrets").contains(&secret)).then(|| {
        format!(
            "{what} secret.secretName=\"{secret}\" is not allowed because service account {name} does not reference that \
             secret"
        )
    })
}

fn names<'a>(object: &'a Value, pointer: &str) -> Vec<&'a str> {
    items(object, pointer).iter().map(|one| text(one, "/name")).collect()
}
