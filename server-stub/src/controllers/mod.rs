//! The server's own controllers: ordinary clients of it, on the loopback connection.

mod bootstrap;
mod cluster_authentication;
mod garbage_collector;
mod identity_lease;
mod namespace;
mod priority_classes;
mod system_namespaces;

use std::sync::Arc;

use crate::app::options::{ControllerOptions, SwitchableController};
use crate::generic::delegation::DelegationTarget;
use crate::generic::server::GenericApiServer;

pub use bootstrap::KubernetesService;
pub use cluster_authentication::ClusterAuthentication;

/// Adds the controllers to the first server of the chain, those that can be switched off as the options say.
/// `resources` knows what there is; `server_id` tells this server apart from others on the same storage.
pub(crate) fn add_to(
    server: &mut GenericApiServer,
    server_id: String,
    resources: Arc<dyn DelegationTarget>,
    service: KubernetesService,
    authentication: ClusterAuthentication,
    options: &ControllerOptions,
) {
    server.add_post_start_hook(system_namespaces::hook());
    server.add_post_start_hook(identity_lease::hook(server_id));
    server.add_post_start_hook(identity_lease::garbage_collector());
    server.add_post_start_hook(priority_classes::hook());
    server.add_post_start_hook(bootstrap::hook(service));
    server.add_post_start_hook(cluster_authentication::hook(authentication));
    if options.is_enabled(SwitchableController::Namespace) {
        server.add_post_start_hook(namespace::hook(resources.clone()));
    }
    if options.is_enabled(SwitchableController::GarbageCollector) {
        server.add_post_start_hook(garbage_collector::hook(resources));
    }
}
