//! Makes the default roles and bindings at the start, and brings back what somebody took from them. It is done when the
//! authorizer knows them, so that a server that is ready lets those in whom they allow.

use k8s_openapi::api::rbac::v1::{PolicyRule, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Api, Error, Object, WriteOptions};
use kubewire_informers::SharedInformer;
use tokio::task::JoinSet;

use super::policy::{AUTO_UPDATE, default_policy};
use super::rules::cover_rule;
use crate::controllers::ensure_system_namespace;
use crate::generic::hooks::{HookContext, HookError, PostStartHook};

/// The hook that reconciles the default roles and bindings.
pub(crate) fn hook() -> PostStartHook {
    PostStartHook::new("rbac/bootstrap-roles", reconcile)
}

async fn reconcile(context: HookContext) -> Result<(), HookError> {
    let policy = default_policy();
    let (clientset, informers) = (context.clientset(), &context.informers);
    let rbac = clientset.rbac_v1();
    // Tasks of their own: these are most of the writes of a start.
    let mut writes = JoinSet::new();
    for role in policy.cluster_roles {
        writes.spawn(ensure(
            informers.informer(),
            rbac.cluster_roles(),
            role,
            |wanted, current| add_rules(&wanted.rules, &mut current.rules),
        ));
    }
    for binding in policy.cluster_role_bindings {
        writes.spawn(ensure(
            informers.informer(),
            rbac.cluster_role_bindings(),
            binding,
            |wanted, current| add_subjects(&wanted.subjects, &mut current.subjects),
        ));
    }
    for namespace in ["kube-system", "kube-public"] {
        ensure_system_namespace(clientset, namespace).await?;
    }
    for role in policy.roles {
        let namespace = role.metadata.namespace.as_deref().unwrap_or_default();
        writes.spawn(ensure(
            informers.informer(),
            rbac.roles(namespace),
            role,
            |wanted, current| add_rules(&wanted.rules, &mut current.rules),
        ));
    }
    for binding in policy.role_bindings {
        let namespace = binding.metadata.namespace.as_deref().unwrap_or_default();
        writes.spawn(ensure(
            informers.informer(),
            rbac.role_bindings(namespace),
            binding,
            |wanted, current| add_subjects(&wanted.subjects, &mut current.subjects),
        ));
    }
    writes.join_all().await.into_iter().collect()
}

/// Sees to it that an object is there, and waits until the authorizer's informer has it.
async fn ensure<K: Object>(
    informer: SharedInformer<K>,
    api: Api<K>,
    wanted: K,
    add_missing: fn(&K, &mut K) -> bool,
) -> Result<(), HookError> {
    let object = create_or_add(&api, &wanted, add_missing).await?;
    let version = object.metadata().resource_version.as_deref().unwrap_or_default();
    informer.wait_for_version(&version.into()).await?;
    Ok(())
}

/// Creates an object, or adds to the one that is there what it lacks.
async fn create_or_add<K: Object>(api: &Api<K>, wanted: &K, add_missing: fn(&K, &mut K) -> bool) -> Result<K, Error> {
    let options = WriteOptions::default();
    match api.create(wanted, &options).await {
        Err(error) if error.is_already_exists() => {}
        result => return result,
    }
    let mut current = api.get(wanted.metadata().name.as_deref().unwrap_or_default()).await?;
    if is_updated(current.metadata()) && add_missing(wanted, &mut current) {
        return api.update(&current, &options).await;
    }
    Ok(current)
}

fn add_rules(wanted: &Option<Vec<PolicyRule>>, current: &mut Option<Vec<PolicyRule>>) -> bool {
    let current = current.get_or_insert_default();
    let missing = wanted.iter().flatten().filter(|rule| !cover_rule(current, rule));
    let missing: Vec<PolicyRule> = missing.cloned().collect();
    current.extend_from_slice(&missing);
    !missing.is_empty()
}

fn add_subjects(wanted: &Option<Vec<Subject>>, current: &mut Option<Vec<Subject>>) -> bool {
    let current = current.get_or_insert_default();
    let missing = wanted.iter().flatten().filter(|subject| !current.contains(subject));
    let missing: Vec<Subject> = missing.cloned().collect();
    current.extend_from_slice(&missing);
    !missing.is_empty()
}

/// An administrator can keep an object as it is with an annotation.
fn is_updated(metadata: &ObjectMeta) -> bool {
    let annotation = metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(AUTO_UPDATE));
    annotation.is_none_or(|value| value == "true")
}
