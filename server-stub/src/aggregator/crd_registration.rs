//! An APIService object for every group and version of custom resources, for as long as a definition has it.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kubewire_client::{Api, WriteOptions};
use kubewire_informers::Lister;
use kubewire_informers::controller::{Action, ReconcileError, Reconciler};

use super::api_services::ApiServiceInfo;
use super::autoregistration::{AUTOMANAGED, desired};
use crate::generic::hooks::PostStartHook;

/// Follows the definitions.
pub(super) fn hook() -> PostStartHook {
    PostStartHook::new("apiservice-discovery-controller", |context| async move {
        let informer = context.informers.informer::<CustomResourceDefinition>();
        let mut controller = context.controller("crd_autoregistration_controller");
        controller.watch(&informer, |definition| match definition.decode() {
            Ok(definition) => versions_of(&definition),
            Err(_) => Vec::new(),
        })?;
        let registration = CrdRegistrationController {
            definitions: informer.lister(),
            api: context.clientset().apiregistration_v1().api_services(),
        };
        let stop = context.lifecycle.shutdown_initiated.clone();
        context.tasks.spawn(async move {
            if let Err(error) = controller.run(registration, stop).await {
                tracing::debug!(%error, "the registration of custom resources has ended");
            }
        });
        Ok(())
    })
}

/// A group and one of its versions.
type GroupVersion = (String, String);

struct CrdRegistrationController {
    definitions: Lister<CustomResourceDefinition>,
    api: Api<APIService>,
}

#[async_trait]
impl Reconciler<GroupVersion> for CrdRegistrationController {
    async fn reconcile(&self, group_version: &GroupVersion) -> Result<Action, ReconcileError> {
        let (group, version) = group_version;
        let info = ApiServiceInfo::local(group, version);
        let is_wanted = self.definitions.list().iter().any(|definition| {
            let definition = definition.decode();
            definition.is_ok_and(|definition: Arc<_>| versions_of(&definition).contains(group_version))
        });
        if is_wanted {
            let created = self.api.create(&desired(&info, "true"), &WriteOptions::default()).await;
            return match created {
                Err(error) if !error.is_already_exists() => Err(error.into()),
                _ => Ok(Action::Done),
            };
        }
        let known = match self.api.get(&info.name()).await {
            Err(error) if error.is_not_found() => return Ok(Action::Done),
            known => known?,
        };
        let labels = known.metadata.labels.unwrap_or_default();
        if labels.get(AUTOMANAGED).is_some_and(|automanaged| automanaged == "true") {
            match self.api.delete(&info.name(), &DeleteOptions::default()).await {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Action::Done)
    }
}

/// The served versions of a definition.
fn versions_of(definition: &CustomResourceDefinition) -> Vec<GroupVersion> {
    let versions = definition.spec.versions.iter().filter(|version| version.served);
    versions
        .map(|version| (definition.spec.group.clone(), version.name.clone()))
        .collect()
}
