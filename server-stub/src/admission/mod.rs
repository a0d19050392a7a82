//! Admission: what looks at other objects before a new one is accepted, and changes or refuses it.
//!
//! These plugins are built in and on unless they are switched off. What needs no other object is part of a resource's own rules.

mod default_classes;
mod limit_ranger;
mod namespace_lifecycle;
mod owner_references;
mod plugins;
mod pod_security;
mod priority;
mod request;
mod resource_quota;
mod rest_mapper;
mod runtime_class;
mod service_account;
mod signers;
#[cfg(test)]
mod tests;
mod tolerations;
mod volumes;
pub(crate) mod webhooks;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use self::plugins::{AdmissionPlugins, Plugin, find as find_plugin};
use crate::registry::store::Store;
use crate::registry::stores::Stores;
use crate::registry::{ListQuery, StoredObject};
use crate::status::{ApiError, GroupResource};

/// An object on its way in.
pub(crate) struct Attributes<'a> {
    /// Everything that is stored.
    pub(crate) stores: &'a Stores,
    /// The plugins that are on.
    pub(crate) plugins: &'a AdmissionPlugins,
    /// The resource to which something is added.
    pub(crate) resource: GroupResource,
    /// The namespace, empty for cluster-scoped resources.
    pub(crate) namespace: &'a str,
    /// The name in the path, empty for what is posted to a collection.
    pub(crate) name: &'a str,
}

/// Lets something new into its namespace: an object, or what is posted to a subresource.
///
/// # Errors
/// 404 for a missing namespace, 403 for one that is being deleted.
pub(crate) async fn admit_create(attributes: &Attributes<'_>, object: Option<&Value>) -> Result<(), ApiError> {
    if !attributes.plugins.is_on(Plugin::NamespaceLifecycle) {
        return Ok(());
    }
    let name = object.map_or_else(|| attributes.name.to_owned(), name_of);
    namespace_lifecycle::check(attributes, &name).await
}

/// Whether plugins fill something into objects of a resource.
fn is_filled_in(resource: &GroupResource) -> bool {
    matches!(
        (&*resource.group, &*resource.resource),
        ("", "pods" | "nodes" | "persistentvolumeclaims")
            | ("storage.k8s.io", "volumeattributesclasses")
            | ("networking.k8s.io", "ingresses")
    )
}

/// Fills in what plugins add to an object, in their order. `old` is what an update replaces.
///
/// # Errors
/// 403 for what a plugin refuses.
async fn fill_in(attributes: &Attributes<'_>, object: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    let on = |plugin| attributes.plugins.is_on(plugin);
    match (&*attributes.resource.group, &*attributes.resource.resource, old) {
        ("", "pods", None) => {
            if on(Plugin::LimitRanger) {
                limit_ranger::fill_in_pod(attributes, object).await?;
            }
            if on(Plugin::Priority) {
                priority::set(attributes, object).await?;
            }
            if on(Plugin::DefaultTolerationSeconds) {
                tolerations::add_default(object);
            }
            if on(Plugin::RuntimeClass) {
                runtime_class::set(attributes, object).await?;
            }
        }
        ("", "pods", Some(_)) if on(Plugin::DefaultTolerationSeconds) => tolerations::add_default(object),
        ("", "nodes", None) if on(Plugin::TaintNodesByCondition) => tolerations::taint_new_node(object),
        ("storage.k8s.io", "volumeattributesclasses", None) if on(Plugin::StorageObjectInUseProtection) => {
            volumes::protect_class(object);
        }
        ("", "persistentvolumeclaims", None) if on(Plugin::DefaultStorageClass) => {
            default_classes::set_storage_class(attributes, object).await?;
        }
        ("networking.k8s.io", "ingresses", None) if on(Plugin::DefaultIngressClass) => {
            default_classes::set_ingress_class(attributes, object).await?;
        }
        _ => {}
    }
    Ok(())
}

impl Attributes<'_> {
    fn store(&self, group: &'static str, plural: &'static str) -> Result<&Arc<Store>, ApiError> {
        let missing = || ApiError::internal(format!("{plural} are not stored"));
        self.stores.get(group, plural).ok_or_else(missing)
    }

    /// All objects of another resource; those in this object's namespace if they live in namespaces.
    async fn list(&self, group: &'static str, plural: &'static str) -> Result<Vec<Arc<StoredObject>>, ApiError> {
        let store = self.store(group, plural)?;
        let namespace = if store.info().namespaced { self.namespace } else { "" };
        let query = ListQuery {
            resource_version: Some(store.written_version()),
            ..ListQuery::default()
        };
        Ok(store.list(namespace, &query).await?.items)
    }

    fn forbidden(&self, object: &Value, message: impl std::fmt::Display) -> ApiError {
        ApiError::forbidden(&self.resource, &name_of(object), message)
    }
}

/// The name, or what is known of it so far.
fn name_of(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().filter(|text| !text.is_empty());
    text("name")
        .or_else(|| text("generateName"))
        .unwrap_or("Unknown")
        .to_owned()
}
