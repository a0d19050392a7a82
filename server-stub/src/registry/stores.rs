//! The stores of all built-in resources, for what concerns more than one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::built_in;
use super::capabilities::Capabilities;
use super::facts::{self, ResourceFacts};
use super::service_ranges::ServiceRanges;
use super::storage_factory::StorageFactory;
use super::store::Store;
use crate::generic::metrics::Exposition;

/// The stores of all built-in resources, one for each version.
pub struct Stores(BTreeMap<(&'static str, &'static str, &'static str), Arc<Store>>);

impl Stores {
    /// Opens them. Must be called inside of a Tokio runtime. `ranges` are the addresses and ports that services may have.
    pub fn open(storage: impl Into<StorageFactory>, ranges: &ServiceRanges, capabilities: Capabilities) -> Self {
        let factory = storage.into();
        let served = facts::resources().iter().filter(|facts| facts.served);
        let stores = served.filter_map(|facts| {
            let store = built_in::open(facts, &factory, ranges, capabilities)?;
            Some(((facts.group, facts.plural, facts.version), Arc::new(store)))
        });
        Self(stores.collect())
    }

    /// The store of a resource; `None` for what is not stored.
    pub fn of(&self, facts: &ResourceFacts) -> Option<&Arc<Store>> {
        self.0.get(&(facts.group, facts.plural, facts.version))
    }

    /// Shows how the watch caches stand, and how many objects there are. What is stored for two groups counts for the
    /// older one.
    pub(crate) fn show(&self, shown: &mut Exposition, count_objects: bool) {
        let own = self.0.values().filter(|store| store.info().group != "events.k8s.io");
        let caches: BTreeMap<_, _> = own
            .map(|store| ((&*store.info().group, &*store.info().resource), store.cache_stats()))
            .collect();
        let labelled = caches
            .iter()
            .map(|((group, resource), stats)| ([("group", *group), ("resource", *resource)], stats));
        if count_objects {
            let mut writer = shown.gauge("apiserver_resource_objects", "[ALPHA] Objects in storage.");
            labelled
                .clone()
                .for_each(|(labels, stats)| writer.sample(labels, stats.objects));
        }
        let help = "[ALPHA] Changes that watch caches heard of from storage.";
        let mut writer = shown.counter("apiserver_watch_cache_events_received_total", help);
        labelled
            .clone()
            .for_each(|(labels, stats)| writer.sample(labels, stats.events_received));
        let help = "[ALPHA] How often watch caches were filled from a list.";
        let mut writer = shown.counter("apiserver_watch_cache_initializations_total", help);
        labelled
            .clone()
            .for_each(|(labels, stats)| writer.sample(labels, stats.initializations));
        let help = "[ALPHA] The version that watch caches have reached, its last 15 digits.";
        let mut writer = shown.gauge("apiserver_watch_cache_resource_version", help);
        let digits = 1_000_000_000_000_000;
        labelled
            .clone()
            .for_each(|(labels, stats)| writer.sample(labels, stats.revision % digits));
        let mut writer = shown.gauge(
            "watch_cache_capacity",
            "[ALPHA] How many changes watch caches remember.",
        );
        labelled.for_each(|(labels, stats)| writer.sample(labels, stats.capacity));
    }

    /// Waits until all watch caches have what is there.
    pub(crate) async fn wait_until_ready(&self) {
        for store in self.0.values() {
            store.wait_until_ready().await;
        }
    }

    /// The store of a resource in the version that is preferred by name: `v1` before `v1beta1`.
    pub fn get(&self, group: &'static str, plural: &'static str) -> Option<&Arc<Store>> {
        let versions = self.0.range((group, plural, "")..);
        let same = versions.take_while(|((g, p, _), _)| (*g, *p) == (group, plural));
        same.map(|(_, store)| store).next()
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stores({})", self.0.len())
    }
}
