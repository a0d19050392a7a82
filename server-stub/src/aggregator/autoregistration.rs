//! An APIService object for every group and version that a server of this chain serves.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceSpec};
use kubewire_client::{Api, Error, WriteOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::api_services::ApiServiceInfo;
use crate::generic::delegation::DelegationTarget;
use crate::generic::health::HealthCheck;
use crate::generic::hooks::PostStartHook;
use crate::generic::server::GenericApiServer;

/// Marks objects that the server makes itself: `onstart` for groups that it always serves, `true` for those of custom
/// resources.
pub(super) const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// Registers the built-in groups once the server answers; `autoregister-completion` fails until all are there.
pub(super) fn add_to(server: &mut GenericApiServer, delegate: Arc<dyn DelegationTarget>) {
    let registered = CancellationToken::new();
    server.add_post_start_hook(hook(delegate, registered.clone()));
    server.add_health_check(HealthCheck::new("autoregister-completion", move || {
        match registered.is_cancelled() {
            true => Ok(()),
            false => Err("missing APIServices".to_owned()),
        }
    }));
}

fn hook(delegate: Arc<dyn DelegationTarget>, done: CancellationToken) -> PostStartHook {
    PostStartHook::new("kube-apiserver-autoregistration", move |context| {
        let (groups, done) = (delegate.groups(), done.clone());
        async move {
            let api = context.clientset().apiregistration_v1().api_services();
            let local = groups.into_iter().flat_map(|group| {
                let versions = group.versions.into_iter();
                versions.map(move |version| ApiServiceInfo::local(&group.name, &version.version))
            });
            let registered: JoinSet<_> = local.map(|info| register(api.clone(), info)).collect();
            registered.join_all().await.into_iter().collect::<Result<(), Error>>()?;
            done.cancel();
            Ok(())
        }
    })
}

async fn register(api: Api<APIService>, info: ApiServiceInfo) -> Result<(), Error> {
    match api.create(&desired(&info, "onstart"), &WriteOptions::default()).await {
        Err(error) if !error.is_already_exists() => Err(error),
        _ => Ok(()),
    }
}

/// The object for a group and version of this chain.
pub(super) fn desired(info: &ApiServiceInfo, automanaged: &str) -> APIService {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    APIService {
        metadata: ObjectMeta {
            name: Some(info.name()),
            labels: Some([(AUTOMANAGED.to_owned(), automanaged.to_owned())].into()),
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
