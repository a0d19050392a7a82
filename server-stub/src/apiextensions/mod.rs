//! The last server of the chain: CustomResourceDefinitions, and the resources that they define.

mod controllers;
pub(crate) mod customresource;
pub(crate) mod customresourcedefinition;
mod definitions;
mod handler;
mod openapi;
pub(crate) mod schema;
mod serving;

use std::sync::Arc;

use serde_json::Value;

use self::handler::CrdHandler;
use crate::endpoints::Endpoints;
use crate::generic::server::{ApiGroup, GenericApiServer};
use crate::registry::storage_factory::StorageFactory;

/// The group that this server serves.
pub(crate) const GROUP: &str = "apiextensions.k8s.io";

/// Builds the server. `own` is the group `apiextensions.k8s.io`; custom resources are kept in `storage`; `generic` adds
/// what any server has, ahead of what is this one's.
pub fn new(
    external_address: &str,
    own: ApiGroup,
    storage: StorageFactory,
    endpoints: Endpoints,
    generic: impl FnOnce(&mut GenericApiServer),
) -> GenericApiServer {
    let handler = Arc::new(CrdHandler::new(storage, endpoints));
    let mut server = GenericApiServer::new("apiextensions", external_address, handler.clone());
    generic(&mut server);
    server.install_api_group(own);
    server.add_openapi_source(handler.clone());
    controllers::add_to(&mut server, handler);
    server
}

/// Whether a condition of a definition is true.
fn condition_is_true(definition: &Value, kind: &str) -> bool {
    condition(definition, kind).is_some_and(|condition| condition["status"] == "True")
}

fn condition<'a>(definition: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind)
}
