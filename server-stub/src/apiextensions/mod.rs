//! The last server of the chain: it serves CustomResourceDefinitions.
//!
//! Custom resources themselves are not served yet: requests for them go on to the end of the chain.

use std::sync::Arc;

use crate::generic::delegation::DelegationTarget;
use crate::generic::server::{ApiGroup, GenericApiServer};

/// The group that this server serves.
pub(crate) const GROUP: &str = "apiextensions.k8s.io";

/// Builds the server in front of `delegate`. `own` is the group `apiextensions.k8s.io`.
pub fn new(external_address: &str, own: ApiGroup, delegate: Arc<dyn DelegationTarget>) -> GenericApiServer {
    let mut server = GenericApiServer::new("apiextensions", external_address, delegate);
    server.install_api_group(own);
    server
}
