//! What this server serves itself is always available, and the status of its APIServices says so.

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceCondition};
use kubewire_client::{Api, WriteOptions};
use kubewire_informers::controller::{Action, ReconcileError, Reconciler};

use super::availability::{AVAILABLE, set_condition};
use crate::generic::clock::Clock;
use crate::generic::hooks::PostStartHook;

/// Follows the APIServices, which may become local ones at any time.
pub(super) fn hook() -> PostStartHook {
    PostStartHook::new("apiservice-status-local-available-controller", |context| async move {
        let informer = context.informers.informer::<APIService>();
        let mut controller = context.controller("LocalAvailability");
        controller.watch(&informer, |service| match service.decode() {
            Ok(object) if is_in_doubt(&object) => vec![service.name().to_owned()],
            _ => Vec::new(),
        })?;
        let available = LocalAvailable {
            api: context.clientset().apiregistration_v1().api_services(),
            clock: context.clock.clone(),
        };
        let stop = context.lifecycle.shutdown_initiated.clone();
        context.tasks.spawn(async move {
            if let Err(error) = controller.run(available, stop).await {
                tracing::debug!(%error, "the status of local APIServices is not kept any more");
            }
        });
        Ok(())
    })
}

struct LocalAvailable {
    api: Api<APIService>,
    clock: Clock,
}

#[async_trait]
impl Reconciler<String> for LocalAvailable {
    async fn reconcile(&self, name: &String) -> Result<Action, ReconcileError> {
        let mut object = match self.api.get(name).await {
            Err(error) if error.is_not_found() => return Ok(Action::Done),
            object => object?,
        };
        if is_in_doubt(&object) {
            let conditions = object.status.get_or_insert_default().conditions.get_or_insert_default();
            set_condition(conditions, condition(Time(self.clock.now())));
            self.api.update_status(&object, &WriteOptions::default()).await?;
        }
        Ok(Action::Done)
    }
}

/// Whether the status of a local APIService does not say that it is available.
fn is_in_doubt(service: &APIService) -> bool {
    let is_local = service.spec.as_ref().is_some_and(|spec| spec.service.is_none());
    let conditions = service.status.as_ref().and_then(|status| status.conditions.as_ref());
    let is_so = |known: &APIServiceCondition| {
        known.type_ == AVAILABLE && known.status == "True" && known.reason.as_deref() == Some(REASON)
    };
    is_local && !conditions.into_iter().flatten().any(is_so)
}

const REASON: &str = "Local";

fn condition(now: Time) -> APIServiceCondition {
    APIServiceCondition {
        type_: AVAILABLE.to_owned(),
        status: "True".to_owned(),
        reason: Some(REASON.to_owned()),
        message: Some("Local APIServices are always available".to_owned()),
        last_transition_time: Some(now),
    }
}
