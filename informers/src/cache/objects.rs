//! The objects of a store and their indices, without a lock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kubewire_client::ObjectKey;

use super::CachedObject;
use super::indexer::IndexFunction;

/// Objects by key, and every index over them.
pub(crate) struct Objects<K> {
    objects: HashMap<Arc<ObjectKey>, CachedObject<K>>,
    indices: HashMap<String, Index<K>>,
    bytes: usize,
}

struct Index<K> {
    function: IndexFunction<K>,
    keys: HashMap<String, HashSet<Arc<ObjectKey>>>,
}

impl<K> Objects<K> {
    pub(super) fn new() -> Self {
        Self {
            objects: HashMap::new(),
            indices: HashMap::new(),
            bytes: 0,
        }
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&CachedObject<K>> {
        self.objects.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &CachedObject<K>> {
        self.objects.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Bytes of all encoded objects.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts in an object; returns the one it replaces.
    pub(crate) fn insert(&mut self, object: CachedObject<K>) -> Option<CachedObject<K>> {
        let old = self.remove(object.key());
        self.indices.values_mut().for_each(|index| index.insert(&object));
        self.bytes += object.encoded().bytes.len();
        self.objects.insert(object.shared_key().clone(), object);
        old
    }

    /// Takes out an object.
    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<CachedObject<K>> {
        let old = self.objects.remove(key)?;
        self.indices.values_mut().for_each(|index| index.remove(&old));
        self.bytes -= old.encoded().bytes.len();
        Some(old)
    }

    /// Adds an index over the objects that are there and those to come; false where the name is taken.
    pub(super) fn add_index(&mut self, name: &str, function: IndexFunction<K>) -> bool {
        if self.indices.contains_key(name) {
            return false;
        }
        let mut index = Index {
            function,
            keys: HashMap::new(),
        };
        self.objects.values().for_each(|object| index.insert(object));
        self.indices.insert(name.to_owned(), index);
        true
    }

    /// The objects under one value of an index; `None` where there is no such index.
    pub(super) fn by_index(&self, name: &str, value: &str) -> Option<Vec<CachedObject<K>>> {
        let keys = self.indices.get(name)?.keys.get(value);
        let objects = keys.into_iter().flatten().filter_map(|key| self.objects.get(key));
        Some(objects.cloned().collect())
    }

    /// Every value of an index that has objects; `None` where there is no such index.
    pub(super) fn index_values(&self, name: &str) -> Option<Vec<String>> {
        Some(self.indices.get(name)?.keys.keys().cloned().collect())
    }
}

impl<K> Index<K> {
    fn insert(&mut self, object: &CachedObject<K>) {
        for value in (self.function)(object) {
            self.keys.entry(value).or_default().insert(object.shared_key().clone());
        }
    }

    fn remove(&mut self, object: &CachedObject<K>) {
        for value in (self.function)(object) {
            if let Some(keys) = self.keys.get_mut(&value) {
                keys.remove(object.key());
                if keys.is_empty() {
                    self.keys.remove(&value);
                }
            }
        }
    }
}
