//! The stores of all built-in resources, for what concerns more than one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::built_in;
use super::facts::{self, ResourceFacts};
use super::service_ranges::ServiceRanges;
use super::storage_factory::StorageFactory;
use super::store::Store;

/// The stores of all built-in resources, one for each version.
pub struct Stores(BTreeMap<(&'static str, &'static str, &'static str), Arc<Store>>);

impl Stores {
    /// Opens them. Must be called inside of a Tokio runtime. `ranges` are the addresses and ports that services may have.
    pub fn open(storage: impl Into<StorageFactory>, ranges: &ServiceRanges) -> Self {
        let factory = storage.into();
        let served = facts::resources().iter().filter(|facts| facts.served);
        let stores = served.filter_map(|facts| {
            let store = built_in::open(facts, &factory, ranges)?;
            Some(((facts.group, facts.plural, facts.version), Arc::new(store)))
        });
        Self(stores.collect())
    }

    /// The store of a resource; `None` for what is not stored.
    pub fn of(&self, facts: &ResourceFacts) -> Option<&Arc<Store>> {
        self.0.get(&(facts.group, facts.plural, facts.version))
    }

    /// How many objects there are, by `resource.group`. What is stored for two groups counts for the older one.
    pub fn object_counts(&self) -> BTreeMap<String, usize> {
        let own = self.0.values().filter(|store| store.info().group != "events.k8s.io");
        own.map(|store| (store.info().group_resource().to_string(), store.object_count()))
            .collect()
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
