//! What stores ask about the objects of one request.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::plugins::{AdmissionPlugins, Plugin};
use super::webhooks::{Attributes, Reinvocation};
use super::{limit_ranger, pod_security, signers};
use crate::authorization::escalation;
use crate::registry::stores::Stores;
use crate::registry::{Admission, Operation, RequestAdmission};
use crate::status::{ApiError, GroupResource};

/// The plugins, and the request that they are asked about.
pub(super) struct PluginAdmission {
    pub(super) plugins: Arc<AdmissionPlugins>,
    pub(super) stores: Arc<Stores>,
    /// What is written.
    pub(super) resource: GroupResource,
    pub(super) attributes: Attributes,
}

impl AdmissionPlugins {
    /// The admission of a request that writes a resource; `attributes` are only asked for where somebody wants to know.
    pub(crate) fn of_request(
        self: &Arc<Self>,
        resource: &GroupResource,
        stores: &Arc<Stores>,
        attributes: impl FnOnce() -> Attributes,
    ) -> RequestAdmission {
        let looked_at = match (&*resource.group, &*resource.resource) {
            (escalation::GROUP | signers::GROUP, _) => true,
            ("scheduling.k8s.io", "priorityclasses") => true,
            _ => {
                super::is_filled_in(resource)
                    || pod_security::concerns(resource)
                    || stores
                        .get("", "resourcequotas")
                        .is_some_and(|all| all.cache_stats().objects > 0)
            }
        };
        let looked_at = looked_at || self.is_on(Plugin::OwnerReferencesPermissionEnforcement);
        if !self.webhooks.any() && !looked_at {
            return RequestAdmission::default();
        }
        RequestAdmission::new(Arc::new(PluginAdmission {
            plugins: self.clone(),
            stores: stores.clone(),
            resource: resource.clone(),
            attributes: attributes(),
        }))
    }
}

#[async_trait]
impl Admission for PluginAdmission {
    async fn mutate(
        &self,
        operation: Operation,
        new: Option<Value>,
        old: Option<&Value>,
    ) -> Result<Option<Value>, ApiError> {
        let mut object = new;
        let mut reinvocation = Reinvocation::default();
        loop {
            if let Some(object) = object.as_mut().filter(|_| self.attributes.subresource.is_empty()) {
                let is_new_pod = operation == Operation::Create && self.is_for_pods();
                if is_new_pod && self.plugins.is_on(Plugin::ServiceAccount) {
                    self.set_service_account(object).await?;
                }
                super::fill_in(&self.place(), object, old).await?;
            }
            if self.plugins.is_on(Plugin::MutatingAdmissionWebhook) {
                let (webhooks, attributes) = (&self.plugins.webhooks, &self.attributes);
                webhooks
                    .mutate(attributes, operation, &mut object, old, &mut reinvocation)
                    .await?;
            }
            if !reinvocation.is_due() {
                break;
            }
        }
        if let Some(object) = object.as_ref().filter(|_| self.resource.group == escalation::GROUP) {
            self.check_escalation(object, old).await?;
        }
        Ok(object)
    }

    async fn validate(&self, operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Result<(), ApiError> {
        let on = |plugin| self.plugins.is_on(plugin);
        if let Some(new) = new {
            self.validate_by_resource(operation, new, old).await?;
            if on(Plugin::OwnerReferencesPermissionEnforcement) {
                self.check_owner_references(operation, new, old).await?;
            }
            let is_new = operation == Operation::Create && self.attributes.subresource.is_empty();
            if on(Plugin::ServiceAccount)
                && self.is_for_pods()
                && (is_new || self.attributes.subresource == "ephemeralcontainers")
            {
                self.check_service_account(new).await?;
            }
            if on(Plugin::PodSecurity) {
                self.check_pod_security(operation, new, old).await?;
            }
        }
        if on(Plugin::ValidatingAdmissionWebhook) {
            let webhooks = &self.plugins.webhooks;
            webhooks.validate(&self.attributes, operation, new, old).await?;
        }
        // The last: what is counted is stored, as far as anybody here can tell.
        match new.filter(|_| on(Plugin::ResourceQuota)) {
            Some(new) => self.check_quota(operation, new, old).await,
            None => Ok(()),
        }
    }
}

impl PluginAdmission {
    pub(super) fn is_for_pods(&self) -> bool {
        self.resource.group.is_empty() && self.resource.resource == "pods"
    }

    /// Where the object is, for plugins that look at others beside it.
    pub(super) fn place(&self) -> super::Attributes<'_> {
        super::Attributes {
            stores: &self.stores,
            plugins: &self.plugins,
            resource: self.resource.clone(),
            namespace: &self.attributes.namespace,
            name: &self.attributes.name,
        }
    }

    /// The plugins that are about one resource.
    async fn validate_by_resource(
        &self,
        operation: Operation,
        new: &Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let on = |plugin| self.plugins.is_on(plugin);
        let subresource = self.attributes.subresource.as_str();
        match (&*self.resource.group, &*self.resource.resource, old) {
            ("", "pods", old)
                if on(Plugin::LimitRanger) && subresource == if old.is_some() { "resize" } else { "" } =>
            {
                limit_ranger::check_pod(&self.place(), new).await
            }
            (signers::GROUP, "certificatesigningrequests", _) => self.check_signing_request(operation, new, old).await,
            ("scheduling.k8s.io", "priorityclasses", _) if on(Plugin::Priority) => self.check_default_class(new).await,
            ("", "persistentvolumeclaims", old) if subresource.is_empty() => {
                if on(Plugin::LimitRanger) {
                    limit_ranger::check_claim(&self.place(), new).await?;
                }
                match old.filter(|_| on(Plugin::PersistentVolumeClaimResize)) {
                    Some(old) => self.check_resize(new, old).await,
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    async fn check_escalation(&self, object: &Value, old: Option<&Value>) -> Result<(), ApiError> {
        if old.is_some_and(|old| differ_for_garbage_collection_only(object, old)) {
            return Ok(());
        }
        let attributes = &self.attributes;
        let grant = escalation::Grant {
            user: &attributes.user,
            resource: &self.resource.resource,
            namespace: &attributes.namespace,
            name: &attributes.name,
            object,
        };
        self.plugins.escalation.check(&grant, &self.stores).await
    }
}

/// Whether an update changes nothing but owners and finalizers.
fn differ_for_garbage_collection_only(new: &Value, old: &Value) -> bool {
    let rest = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for field in ["ownerReferences", "finalizers", "managedFields"] {
                metadata.remove(field);
            }
        }
        object
    };
    rest(new) == rest(old)
}
