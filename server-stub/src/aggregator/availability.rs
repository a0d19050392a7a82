//! Finds out whether the servers behind APIServices answer, and says so in their status.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceCondition};
use kubewire_client::{Api, WriteOptions};
use kubewire_informers::controller::{Action, Controller, ReconcileError, Reconciler};
use kubewire_informers::workqueue::WorkQueue;

use super::api_services::ApiServices;
use super::remote_service::RemoteService;
use super::service_resolver::{SERVICE_NAME, ServiceResolver};
use crate::generic::clock::Clock;
use crate::generic::hooks::PostStartHook;

/// How often servers are asked again that answered.
const INTERVAL: Duration = Duration::from_secs(30);

/// How many servers are asked at once.
const CONCURRENCY: usize = 5;

/// The condition that this is about.
pub(super) const AVAILABLE: &str = "Available";

/// The APIServices to look at come by `queue`, and with their services and endpoints by informers.
pub(super) fn hook(
    services: Arc<ApiServices>,
    resolver: Arc<OnceLock<ServiceResolver>>,
    queue: WorkQueue<String>,
) -> PostStartHook {
    PostStartHook::new("apiservice-status-remote-available-controller", move |context| {
        let (services, resolver, queue) = (services.clone(), resolver.clone(), queue.clone());
        async move {
            let factory = &context.informers;
            let (core, slices) = (factory.informer::<Service>(), factory.informer::<EndpointSlice>());
            let mut controller = Controller::with_queue(queue).concurrency(CONCURRENCY);
            let of = services.clone();
            controller.watch(&core, move |service| {
                of.names_behind(service.namespace(), service.name())
            })?;
            let of = services.clone();
            controller.watch(&slices, move |slice| {
                let service = slice.label(SERVICE_NAME).unwrap_or_default();
                of.names_behind(slice.namespace(), service)
            })?;
            let _ = resolver.set(ServiceResolver::new(&core, &slices));
            let available = Available {
                services,
                resolver,
                api: context.clientset().apiregistration_v1().api_services(),
                clock: context.clock.clone(),
            };
            let stop = context.lifecycle.shutdown_initiated.clone();
            context.tasks.spawn(async move {
                // The informers end with the server.
                let _ = controller.run(available, stop).await;
            });
            core.start();
            slices.start();
            Ok(())
        }
    })
}

struct Available {
    services: Arc<ApiServices>,
    resolver: Arc<OnceLock<ServiceResolver>>,
    api: Api<APIService>,
    clock: Clock,
}

#[async_trait::async_trait]
impl Reconciler<String> for Available {
    /// Looks at the server behind one APIService. What this server serves itself is available from the start.
    async fn reconcile(&self, name: &String) -> Result<Action, ReconcileError> {
        let Some(service) = self.services.remote_by_name(name) else {
            return Ok(Action::Done);
        };
        let found = self.check(&service).await;
        let is_available = found.status == "True";
        let mut object = match self.api.get(name).await {
            Err(error) if error.is_not_found() => return Ok(Action::Done),
            object => object?,
        };
        if object.spec.as_ref() != Some(&service.spec) {
            // It has changed meanwhile and comes again.
            return Ok(Action::Done);
        }
        let conditions = object.status.get_or_insert_default().conditions.get_or_insert_default();
        if set_condition(conditions, found) {
            self.api.update_status(&object, &WriteOptions::default()).await?;
        }
        service.set_available(is_available);
        Ok(if is_available {
            Action::RequeueAfter(INTERVAL)
        } else {
            Action::Requeue
        })
    }
}

impl Available {
    async fn check(&self, service: &RemoteService) -> APIServiceCondition {
        let (namespace, name, port) = service.service();
        let resolver = self.resolver.get();
        let server = resolver.map(|resolver| resolver.resolve(namespace, name, port));
        let (status, reason, message) = match server {
            None => (
                "Unknown",
                "ServiceAccessError",
                "the services are not known yet".to_owned(),
            ),
            Some(Err(unresolved)) => ("False", unresolved.reason, unresolved.message),
            Some(Ok(server)) => match service.discover(&server).await {
                Ok(()) => ("True", "Passed", "all checks passed".to_owned()),
                Err((url, error)) => {
                    let message = format!("failing or missing response from {url}: {error}");
                    ("False", "FailedDiscoveryCheck", message)
                }
            },
        };
        APIServiceCondition {
            type_: AVAILABLE.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: Some(Time(self.clock.now())),
        }
    }
}

/// Sets a condition; false if nothing has changed. The time is that of the last change of the status.
pub(super) fn set_condition(conditions: &mut Vec<APIServiceCondition>, mut found: APIServiceCondition) -> bool {
    let Some(known) = conditions.iter_mut().find(|condition| condition.type_ == found.type_) else {
        conditions.push(found);
        return true;
    };
    if known.status == found.status {
        found.last_transition_time = known.last_transition_time.clone();
    }
    let changed = *known != found;
    *known = found;
    changed
}

/// Whether the status of an APIService says that it is available.
pub(super) fn is_available(service: &APIService) -> bool {
    let conditions = service.status.as_ref().and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == AVAILABLE && condition.status == "True")
}
