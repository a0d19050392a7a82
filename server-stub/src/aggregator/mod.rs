//! The first server of the chain: it merges the groups of all servers, and hands requests for groups of other servers
//! (APIServices with a service) to those.

mod api_services;
mod autoregistration;
mod discovery;

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kubewire_informers::EventHandlerFuncs;

use self::api_services::{ApiServiceInfo, ApiServices};
use crate::generic::delegation::{DelegationTarget, Handler, text};
use crate::generic::hooks::PostStartHook;
use crate::generic::request::{Request, RequestInfo, Response};
use crate::generic::server::{ApiGroup, GenericApiServer};

/// The group that the aggregator serves itself.
pub(crate) const GROUP: &str = "apiregistration.k8s.io";

/// Builds the aggregator in front of `delegate`. `own` is the group `apiregistration.k8s.io`.
pub fn new(external_address: &str, own: ApiGroup, delegate: Arc<dyn DelegationTarget>) -> GenericApiServer {
    let services = Arc::new(ApiServices::default());
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
    let proxy = Arc::new(Proxy {
        groups: groups.clone(),
        services: services.clone(),
        delegate: delegate.clone(),
    });
    server.mux().handle("/apis", groups.clone());
    server.mux().handle("/apis/", groups);
    server.mux().handle_prefix("/apis/", proxy);
    server.install_api_group(own);
    server.add_post_start_hook(registration_hook(services));
    server.add_post_start_hook(autoregistration::hook(delegate));
    server
}

/// Serves `/apis/<group>`, refuses what a server elsewhere would have to answer, and passes on the rest.
struct Proxy {
    groups: Arc<discovery::Groups>,
    services: Arc<ApiServices>,
    delegate: Arc<dyn DelegationTarget>,
}

#[async_trait]
impl Handler for Proxy {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        let pieces: Vec<&str> = info.path.trim_matches('/').split('/').collect();
        match pieces.as_slice() {
            ["apis", group] => match self.groups.serve_group(group, &request) {
                Some(response) => response,
                None => self.delegate.handle(request).await,
            },
            // Proxying to other servers is not supported: they are unavailable.
            ["apis", group, version, ..] if self.services.is_remote(group, version) => {
                text(StatusCode::SERVICE_UNAVAILABLE, "service unavailable\n")
            }
            _ => self.delegate.handle(request).await,
        }
    }
}

/// Follows the APIService objects.
fn registration_hook(services: Arc<ApiServices>) -> PostStartHook {
    PostStartHook::new("apiservice-registration-controller", move |context| {
        let services = services.clone();
        async move {
            let informer = context.informers.informer::<APIService>();
            let (on_add, on_update, on_delete) = (services.clone(), services.clone(), services);
            let store = |services: &ApiServices, service: Result<Arc<APIService>, _>| match service {
                Ok(service) => services.insert(ApiServiceInfo::from(&*service)),
                Err::<_, kubewire_informers::cache::DecodeError>(error) => tracing::warn!(%error, "APIService"),
            };
            informer.add_handler(
                EventHandlerFuncs::new()
                    .on_add(move |service, _| store(&on_add, service.decode()))
                    .on_update(move |_, service| store(&on_update, service.decode()))
                    .on_delete(move |service, _| on_delete.remove(&service.key().name)),
            )?;
            informer.start();
            informer.wait_for_sync().await?;
            Ok(())
        }
    })
}
