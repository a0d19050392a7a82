//! `OwnerReferencesPermissionEnforcement`: owners of an object are changed by those who may delete it, and an owner is
//! kept from going by those who may change its finalizers. Off unless it is switched on.

use kubewire_client::dynamic::ApiResource;
use serde_json::Value;

use super::request::PluginAdmission;
use crate::authorization::Decision;
use crate::generic::request::RequestInfo;
use crate::registry::Operation;
use crate::registry::validation::values::{items, text};
use crate::status::{ApiError, GroupResource};

impl PluginAdmission {
    /// Looks at an object that is made or changed.
    pub(super) async fn check_owner_references(
        &self,
        operation: Operation,
        new: &Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let attributes = &self.attributes;
        let is_status_of_pod = self.is_for_pods() && attributes.subresource == "status";
        let owners = items(new, OWNERS);
        if is_status_of_pod || owners == old.map(|old| items(old, OWNERS)).unwrap_or_default() {
            return Ok(());
        }
        // Who makes an object may say whose it is.
        if operation != Operation::Create {
            let deletion = RequestInfo {
                is_resource_request: true,
                verb: "delete".to_owned(),
                namespace: attributes.namespace.clone(),
                api_group: attributes.resource.group.to_string(),
                api_version: attributes.resource.version.to_string(),
                resource: attributes.resource.resource.to_string(),
                subresource: attributes.subresource.clone(),
                name: attributes.name.clone(),
                ..RequestInfo::default()
            };
            let why = "cannot set an ownerRef on a resource you can't delete";
            self.must_be_allowed(&deletion, why, new).await?;
        }
        for owner in owners.iter().filter(|owner| blocks(owner) && !did_block(owner, old)) {
            let (api_version, kind) = (text(owner, "/apiVersion"), text(owner, "/kind"));
            let resource = self.plugins.rest_mapper.resource_for_kind(api_version, kind).await;
            let resource = resource.map_err(|error| {
                let message = format!(
                    "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion \
                     {api_version} Kind {kind}: {error}"
                );
                self.refused(new, &message)
            })?;
            let why =
                "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on";
            self.must_be_allowed(&self.finalizing(resource, text(owner, "/name")), why, new)
                .await?;
        }
        Ok(())
    }

    /// The question whether the user may change the finalizers of an owner.
    fn finalizing(&self, ApiResource { gvr, namespaced, .. }: ApiResource, name: &str) -> RequestInfo {
        let namespace = if namespaced { &*self.attributes.namespace } else { "" };
        RequestInfo {
            is_resource_request: true,
            verb: "update".to_owned(),
            namespace: namespace.to_owned(),
            api_group: gvr.group.into_owned(),
            api_version: gvr.version.into_owned(),
            resource: gvr.resource.into_owned(),
            subresource: "finalizers".to_owned(),
            name: name.to_owned(),
            ..RequestInfo::default()
        }
    }

    async fn must_be_allowed(&self, question: &RequestInfo, why: &str, object: &Value) -> Result<(), ApiError> {
        match self.plugins.authorizer.authorize(&self.attributes.user, question).await {
            Decision::Allow(_) => Ok(()),
            Decision::Deny(reason) | Decision::NoOpinion(reason) => {
                Err(self.refused(object, &format!("{why}: {reason}, <nil>")))
            }
        }
    }

    fn refused(&self, object: &Value, message: &str) -> ApiError {
        let resource = &self.attributes.resource;
        let resource = GroupResource::new(resource.group.clone(), resource.resource.clone());
        ApiError::forbidden(&resource, &super::name_of(object), message)
    }
}

const OWNERS: &str = "/metadata/ownerReferences";

/// Whether the owner cannot go while the object is there.
fn blocks(owner: &Value) -> bool {
    owner["blockOwnerDeletion"] == true
}

fn did_block(owner: &Value, old: Option<&Value>) -> bool {
    let known = |known: &&Value| known["uid"] == owner["uid"];
    old.and_then(|old| items(old, OWNERS).iter().find(known))
        .is_some_and(blocks)
}
