//! Makes the default roles and bindings at the start, and brings back what somebody took from them.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Clientset, Error, WriteOptions};
use tokio::task::JoinSet;

use super::policy::{AUTO_UPDATE, default_policy};
use super::rules::cover_rule;
use crate::generic::hooks::PostStartHook;

/// The hook that reconciles the default roles and bindings.
pub(crate) fn hook() -> PostStartHook {
    PostStartHook::new("rbac/bootstrap-roles", |context| async move {
        reconcile(context.clientset()).await?;
        Ok(())
    })
}

async fn reconcile(clientset: &Clientset) -> Result<(), Error> {
    let (roles, bindings) = default_policy();
    // Tasks of their own: these are most of the writes of a start.
    let roles: JoinSet<_> = roles
        .into_iter()
        .map(|role| ensure_role(clientset.clone(), role))
        .collect();
    let bindings: JoinSet<_> = bindings
        .into_iter()
        .map(|binding| ensure_binding(clientset.clone(), binding))
        .collect();
    let (roles, bindings) = tokio::join!(roles.join_all(), bindings.join_all());
    roles.into_iter().chain(bindings).collect()
}

async fn ensure_role(clientset: Clientset, role: ClusterRole) -> Result<(), Error> {
    let (api, options) = (clientset.rbac_v1().cluster_roles(), WriteOptions::default());
    match api.create(&role, &options).await {
        Err(error) if error.is_already_exists() => {}
        result => return result.map(drop),
    }
    let mut current = api.get(role.metadata.name.as_deref().unwrap_or_default()).await?;
    let rules = current.rules.get_or_insert_default();
    let missing: Vec<PolicyRule> = role
        .rules
        .iter()
        .flatten()
        .filter(|rule| !cover_rule(rules, rule))
        .cloned()
        .collect();
    if missing.is_empty() || !is_updated(&current.metadata) {
        return Ok(());
    }
    rules.extend(missing);
    api.update(&current, &options).await.map(drop)
}

async fn ensure_binding(clientset: Clientset, binding: ClusterRoleBinding) -> Result<(), Error> {
    let (api, options) = (clientset.rbac_v1().cluster_role_bindings(), WriteOptions::default());
    match api.create(&binding, &options).await {
        Err(error) if error.is_already_exists() => {}
        result => return result.map(drop),
    }
    let mut current = api.get(binding.metadata.name.as_deref().unwrap_or_default()).await?;
    let subjects = current.subjects.get_or_insert_default();
    let missing: Vec<_> = binding
        .subjects
        .iter()
        .flatten()
        .filter(|subject| !subjects.contains(subject))
        .cloned()
        .collect();
    if missing.is_empty() || !is_updated(&current.metadata) {
        return Ok(());
    }
    subjects.extend(missing);
    api.update(&current, &options).await.map(drop)
}

/// An administrator can keep an object as it is with an annotation.
fn is_updated(metadata: &ObjectMeta) -> bool {
    let annotation = metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(AUTO_UPDATE));
    annotation.is_none_or(|value| value == "true")
}
