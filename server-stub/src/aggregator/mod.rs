//! The first server of the chain: it merges the groups of all servers, and hands requests for groups of other servers
//! (APIServices with a service) to those.

mod api_services;
mod autoregistration;
mod availability;
mod crd_registration;
mod discovery;
mod local_availability;
mod openapi;
mod proxy_handler;
mod remote_service;
mod service_resolver;
pub(crate) mod validation;

pub(crate) use service_resolver::{ServiceResolver, Unresolved};

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kubewire_informers::workqueue::WorkQueue;
use kubewire_informers::{CachedObject, EventHandlerFuncs};

pub(crate) use self::api_services::version_rank;
use self::api_services::{ApiServiceInfo, ApiServices};
use self::proxy_handler::ProxyHandler;
use crate::generic::certificates::KeyPair;
use crate::generic::delegation::DelegationTarget;
use crate::generic::dynamic_files::DynamicFiles;
use crate::generic::hooks::PostStartHook;
use crate::generic::metrics::Metrics;
use crate::generic::server::{ApiGroup, GenericApiServer};

/// The group that the aggregator serves itself.
pub(crate) const GROUP: &str = "apiregistration.k8s.io";

/// How often the files of this server's certificate are looked at.
const IDENTITY_INTERVAL: Duration = Duration::from_secs(5);

/// Builds the aggregator in front of `delegate`. `own` is the group `apiregistration.k8s.io`; `identity` is the client
/// certificate by which servers elsewhere believe this one what it says about users.
pub fn new(
    external_address: &str,
    own: ApiGroup,
    identity: Arc<DynamicFiles<KeyPair>>,
    delegate: Arc<dyn DelegationTarget>,
    metrics: &Metrics,
) -> GenericApiServer {
    let services = Arc::new(ApiServices::new(identity));
    for group in delegate.groups() {
        for version in &group.versions {
            services.insert(ApiServiceInfo::local(&group.name, &version.version));
        }
    }
    let mut server = GenericApiServer::new("aggregator", external_address, delegate.clone());
    let groups = Arc::new(discovery::Groups {
        own: own.discover(),
        services: services.clone(),
        delegate: delegate.clone(),
    });
    let resolver = Arc::default();
    let suspects = metrics.work_queue("RemoteAvailabilityController");
    let proxy = Arc::new(ProxyHandler {
        groups: groups.clone(),
        services: services.clone(),
        resolver: Arc::clone(&resolver),
        suspects: suspects.clone(),
        delegate: delegate.clone(),
    });
    server.mux().handle("/apis", groups.clone());
    server.mux().handle("/apis/", groups);
    server.mux().handle_prefix("/apis/", proxy);
    server.install_api_group(own);
    server.add_openapi_source(Arc::new(openapi::RemoteDocuments(services.clone())));
    server.add_post_start_hook(identity_hook(services.clone()));
    server.add_post_start_hook(start_informers_hook());
    server.add_post_start_hook(local_availability::hook());
    server.add_post_start_hook(availability::hook(services.clone(), resolver, suspects.clone()));
    server.add_post_start_hook(registration_hook(services, suspects));
    server.add_post_start_hook(crd_registration::hook());
    autoregistration::add_to(&mut server, delegate);
    server
}

/// Looks from time to time whether this server shows another certificate to others.
fn identity_hook(services: Arc<ApiServices>) -> PostStartHook {
    PostStartHook::new("aggregator-reload-proxy-client-cert", move |context| {
        let (services, stop) = (services.clone(), context.lifecycle.shutdown_initiated.clone());
        context.tasks.spawn(async move {
            while tokio::time::timeout(IDENTITY_INTERVAL, stop.cancelled()).await.is_err() {
                services.follow_identity();
            }
        });
        async { Ok(()) }
    })
}

/// Starts what the controllers of this server look at.
fn start_informers_hook() -> PostStartHook {
    PostStartHook::new("start-kube-aggregator-informers", |context| async move {
        let services = context.informers.informer::<APIService>();
        let definitions = context.informers.informer::<CustomResourceDefinition>();
        services.start();
        definitions.start();
        let stop = context.lifecycle.shutdown_initiated.clone();
        context.tasks.spawn(async move {
            stop.cancelled().await;
            // Informers that nobody has end.
            drop((services, definitions));
        });
        Ok(())
    })
}

/// Follows the APIService objects. Each that is new or has changed is looked at: it goes into `queue` once it is known.
fn registration_hook(services: Arc<ApiServices>, queue: WorkQueue<String>) -> PostStartHook {
    PostStartHook::new("apiservice-registration-controller", move |context| {
        let (services, queue) = (services.clone(), queue.clone());
        async move {
            let informer = context.informers.informer::<APIService>();
            let (on_add, on_update, on_delete) = (services.clone(), services.clone(), services);
            let store = move |services: &ApiServices, service: &CachedObject<APIService>| match service.decode() {
                Ok(object) => {
                    services.update(&object);
                    queue.add(service.name().to_owned());
                }
                Err(error) => tracing::warn!(%error, "APIService"),
            };
            let store_again = store.clone();
            informer.add_handler(
                EventHandlerFuncs::new()
                    .on_add(move |service, _| store(&on_add, service))
                    .on_update(move |_, service| store_again(&on_update, service))
                    .on_delete(move |service, _| on_delete.remove(&service.key().name)),
            )?;
            informer.wait_for_sync().await?;
            Ok(())
        }
    })
}
