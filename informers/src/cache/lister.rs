//! Read access to a store.

use std::sync::Arc;

use kubewire_client::selector::LabelSelector;
use kubewire_client::{Decode, ObjectKey};

use super::{CachedObject, IndexError, Indexer, NAMESPACE_INDEX};

/// Reads the store of an informer, and keeps the informer running. Cloning shares the store.
///
/// A lister can be behind the cluster, never ahead of it; what it gives out is shared and cannot be changed.
pub struct Lister<K: Decode> {
    store: Arc<Indexer<K>>,
    /// What fills the store as long as somebody reads it.
    informer: Option<Arc<dyn Send + Sync>>,
}

impl<K: Decode> Lister<K> {
    /// Read access to this store.
    pub fn new(store: Arc<Indexer<K>>) -> Self {
        Self { store, informer: None }
    }

    /// Read access to the store of an informer, which it keeps running.
    pub(crate) fn of_informer(store: Arc<Indexer<K>>, informer: Option<Arc<dyn Send + Sync>>) -> Self {
        Self { store, informer }
    }

    /// The object of this key.
    pub fn get(&self, key: &ObjectKey) -> Option<CachedObject<K>> {
        self.store.get(key)
    }

    /// All objects, in no particular order.
    pub fn list(&self) -> Vec<CachedObject<K>> {
        self.store.list()
    }

    /// The objects whose labels fulfil the selector, in no particular order.
    pub fn select(&self, selector: &LabelSelector) -> Vec<CachedObject<K>> {
        self.store.select(selector)
    }

    /// The objects of one namespace; the empty one holds the cluster-scoped objects.
    pub fn namespace(&self, namespace: impl Into<String>) -> NamespaceLister<K> {
        NamespaceLister {
            lister: self.clone(),
            namespace: namespace.into(),
        }
    }

    /// The objects under one value of an index, in no particular order.
    pub fn by_index(&self, index: &str, value: &str) -> Result<Vec<CachedObject<K>>, IndexError> {
        self.store.by_index(index, value)
    }

    /// Every value of an index that has objects, in no particular order.
    pub fn index_values(&self, index: &str) -> Result<Vec<String>, IndexError> {
        self.store.index_values(index)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }
}

impl<K: Decode> Clone for Lister<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            informer: self.informer.clone(),
        }
    }
}

impl<K: Decode> std::fmt::Debug for Lister<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lister").field(&self.store).finish()
    }
}

/// Reads the objects of one namespace.
#[derive(Debug)]
pub struct NamespaceLister<K: Decode> {
    lister: Lister<K>,
    namespace: String,
}

impl<K: Decode> NamespaceLister<K> {
    /// The object of this name.
    pub fn get(&self, name: &str) -> Option<CachedObject<K>> {
        self.lister.get(&ObjectKey::new(self.namespace.as_str(), name))
    }

    /// All objects of the namespace, in no particular order.
    pub fn list(&self) -> Vec<CachedObject<K>> {
        // The index over namespaces is always there.
        self.lister
            .by_index(NAMESPACE_INDEX, &self.namespace)
            .unwrap_or_default()
    }

    /// The objects of the namespace whose labels fulfil the selector, in no particular order.
    pub fn select(&self, selector: &LabelSelector) -> Vec<CachedObject<K>> {
        let mut objects = self.list();
        objects.retain(|object| object.is_selected_by(selector));
        objects
    }
}

impl<K: Decode> Clone for NamespaceLister<K> {
    fn clone(&self) -> Self {
        Self {
            lister: self.lister.clone(),
            namespace: self.namespace.clone(),
        }
    }
}
