//! An APIService object for every group and version that a server of this chain serves.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceCondition, APIServiceSpec, APIServiceStatus,
};
use kubewire_client::{Api, Error, WriteOptions};

use super::api_services::ApiServiceInfo;
use crate::generic::delegation::DelegationTarget;
use crate::generic::hooks::PostStartHook;

/// Marks objects that exist because the server serves the group, as opposed to a custom resource's.
const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// Registers the built-in groups once the server answers.
pub(super) fn hook(delegate: Arc<dyn DelegationTarget>) -> PostStartHook {
    PostStartHook::new("kube-apiserver-autoregistration", move |context| {
        let groups = delegate.groups();
        async move {
            let api = context.clientset().apiregistration_v1().api_services();
            for group in groups {
                for version in group.versions {
                    register(
                        &api,
                        &ApiServiceInfo::local(&group.name, &version.version),
                        &context.clock,
                    )
                    .await?;
                }
            }
            Ok(())
        }
    })
}

async fn register(
    api: &Api<APIService>,
    info: &ApiServiceInfo,
    clock: &crate::generic::clock::Clock,
) -> Result<(), Error> {
    let options = WriteOptions::default();
    let mut service = match api.create(&desired(info), &options).await {
        Err(error) if error.is_already_exists() => return Ok(()),
        created => created?,
    };
    service.status = Some(APIServiceStatus {
        conditions: Some(vec![APIServiceCondition {
            type_: "Available".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Some(Time(clock.now())),
            reason: Some("Local".to_owned()),
            message: Some("Local APIServices are always available".to_owned()),
        }]),
    });
    api.update_status(&service, &options).await?;
    Ok(())
}

fn desired(info: &ApiServiceInfo) -> APIService {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    APIService {
        metadata: ObjectMeta {
            name: Some(info.name()),
            labels: Some([(AUTOMANAGED.to_owned(), "onstart".to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(APIServiceSpec {
            group: some(&info.group),
            version: some(&info.version),
            group_priority_minimum: info.group_priority,
            version_priority: info.version_priority,
            ..APIServiceSpec::default()
        }),
        status: None,
    }
}
