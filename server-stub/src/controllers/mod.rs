//! The server's own controllers: ordinary clients of it, on the loopback connection.

mod bootstrap;
mod namespace;
mod system_namespaces;

use std::sync::Arc;

use crate::generic::delegation::DelegationTarget;
use crate::generic::server::GenericApiServer;

pub use bootstrap::KubernetesService;

/// Adds the controllers to the first server of the chain. `resources` knows what a namespace can hold.
pub(crate) fn add_to(server: &mut GenericApiServer, resources: Arc<dyn DelegationTarget>, service: KubernetesService) {
    server.add_post_start_hook(system_namespaces::hook());
    server.add_post_start_hook(bootstrap::hook(service));
    server.add_post_start_hook(namespace::hook(resources));
}
