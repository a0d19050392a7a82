//! The server's own controllers: ordinary clients of it, on the loopback connection.

mod bootstrap;
mod cluster_authentication;
mod flow_control;
mod garbage_collector;
mod identity_lease;
mod legacy_token_tracking;
mod namespace;
mod priority_classes;
mod service_cidr;
mod service_repair;
mod system_namespaces;

use std::sync::Arc;

use crate::app::options::{ControllerOptions, SwitchableController};
use crate::authorization::bootstrap_hook as bootstrap_roles;
use crate::generic::delegation::DelegationTarget;
use crate::generic::hooks::PostStartHook;
use crate::generic::server::GenericApiServer;
use crate::registry::service_ranges::ServiceRanges;
use crate::registry::stores::Stores;
use crate::storage::Storage;

pub use bootstrap::KubernetesService;
pub use cluster_authentication::ClusterAuthentication;
pub(crate) use flow_control::consumer as flow_control_consumer;
pub(crate) use system_namespaces::ensure as ensure_system_namespace;

/// What the controllers of kube-apiserver itself need.
pub(crate) struct KubeApiServerControllers {
    /// Tells this server apart from others on the same storage.
    pub(crate) server_id: String,
    pub(crate) stores: Arc<Stores>,
    pub(crate) service: KubernetesService,
    /// Where the addresses and ports of services come from.
    pub(crate) service_ranges: ServiceRanges,
    /// Where it is noted which of them are taken.
    pub(crate) allocations: Arc<dyn Storage>,
    pub(crate) authentication: ClusterAuthentication,
    /// Whether the default roles are looked after.
    pub(crate) bootstrap_roles: bool,
}

/// Adds the controllers of kube-apiserver.
pub(crate) fn add_to(server: &mut GenericApiServer, controllers: KubeApiServerControllers) {
    server.add_post_start_hook(system_namespaces::hook());
    server.add_post_start_hook(cluster_authentication::hook(controllers.authentication));
    identity_lease::add_to(server, controllers.server_id);
    server.add_post_start_hook(storage_readiness(controllers.stores.clone()));
    server.add_post_start_hook(legacy_token_tracking::hook());
    let ranges = controllers.service_ranges.clone();
    server.add_post_start_hook(service_repair::hook(
        controllers.stores,
        controllers.allocations,
        ranges,
    ));
    if controllers.bootstrap_roles {
        server.add_post_start_hook(bootstrap_roles());
    }
    server.add_post_start_hook(priority_classes::hook());
    server.add_post_start_hook(flow_control::producer());
    bootstrap::add_to(server, controllers.service);
    server.add_post_start_hook(service_cidr::hook(controllers.service_ranges.networks));
}

/// The hook that waits until the objects of all built-in resources are at hand.
fn storage_readiness(stores: Arc<Stores>) -> PostStartHook {
    PostStartHook::new("storage-readiness", move |_| {
        let stores = stores.clone();
        async move {
            stores.wait_until_ready().await;
            Ok(())
        }
    })
}

/// Adds the controllers that can be switched on and off, in the original those of another program.
/// `resources` knows what there is.
pub(crate) fn add_switchable(
    server: &mut GenericApiServer,
    resources: Arc<dyn DelegationTarget>,
    options: &ControllerOptions,
) {
    if options.is_enabled(SwitchableController::Namespace) {
        server.add_post_start_hook(namespace::hook(
            resources.clone(),
            options.namespace_deletion_grace_period,
        ));
    }
    if options.is_enabled(SwitchableController::GarbageCollector) {
        server.add_post_start_hook(garbage_collector::hook(resources));
    }
}
