//! The built-in resources: how each is stored, and its behaviour as a table of rules in small files by subject.

mod access;
mod batch;
mod certificates;
mod cluster;
mod config;
mod definitions;
mod limits;
mod namespaces;
mod network;
mod pods;
mod rules;
mod services;
mod strategy;
#[cfg(test)]
mod tests;
mod volumes;
mod workloads;

use std::borrow::Cow;
use std::sync::Arc;

use super::capabilities::Capabilities;
use super::facts::ResourceFacts;
use super::protobuf_codec::ProtobufCodec;
use super::resource_info::{ResourceInfo, built_in_storage_prefix};
use super::storage_factory::RestOptionsGetter;
use super::store::Store;

use self::services::ServiceAllocator;
pub(crate) use self::services::{Finding, ServiceRepair};
use self::strategy::{Allocator, BuiltInStrategy};
use super::service_ranges::ServiceRanges;

/// Whether a deletion answers with the object rather than with a `Status`.
pub(crate) fn returns_deleted_object(facts: &ResourceFacts) -> bool {
    rules::of(facts.group, facts.plural).returns_deleted_object
}

/// Opens the store of a built-in resource; `None` for what is not stored, such as reviews.
///
/// Must be called inside of a Tokio runtime. `ranges` are the addresses and ports that services may have.
pub fn open(
    facts: &'static ResourceFacts,
    options: &impl RestOptionsGetter,
    ranges: &ServiceRanges,
    capabilities: Capabilities,
) -> Option<Store> {
    let (stored_group, _) = facts.storage?;
    let stored = options.rest_options(stored_group, facts.plural);
    let codec = ProtobufCodec::new(facts)?.with_media_type(stored.media_type);
    let info = ResourceInfo {
        group: Cow::Borrowed(facts.group),
        version: Cow::Borrowed(facts.version),
        resource: Cow::Borrowed(facts.plural),
        kind: Cow::Borrowed(facts.kind),
        namespaced: facts.namespaced,
        storage_prefix: built_in_storage_prefix(stored_group, facts.plural).into(),
        field_labels: Cow::Borrowed(facts.field_labels),
    };
    let is_service = facts.group.is_empty() && facts.plural == "services";
    let allocator = is_service.then(|| {
        let storage = options.rest_options("networking.k8s.io", "ipaddresses").storage;
        Arc::new(ServiceAllocator::new(storage, ranges.clone())) as Arc<dyn Allocator>
    });
    let strategy = Arc::new(BuiltInStrategy::new(facts, allocator, stored.event_ttl, capabilities));
    Some(Store::new(info, strategy, Arc::new(codec), stored.storage))
}
