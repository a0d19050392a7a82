//! The objects of a store and their indices, without a lock.

use std::hash::RandomState;

use hashbrown::{HashMap, HashSet};
use kubewire_client::{Decode, ObjectKey};

use super::CachedObject;
use super::by_key::{ByKey, Key};
use super::indexer::IndexFunction;

/// Objects by key, and every index over them.
pub(crate) struct Objects<K: Decode> {
    objects: HashSet<ByKey<K>, RandomState>,
    indices: HashMap<String, Index<K>, RandomState>,
    bytes: usize,
}

struct Index<K: Decode> {
    function: IndexFunction<K>,
    objects: HashMap<String, HashSet<ByKey<K>, RandomState>, RandomState>,
}

impl<K: Decode> Objects<K> {
    pub(super) fn new() -> Self {
        Self {
            objects: HashSet::default(),
            indices: HashMap::default(),
            bytes: 0,
        }
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&CachedObject<K>> {
        self.objects.get(&Key(key)).map(|object| &object.0)
    }

    /// The object that this one is a state of, or that had its name before.
    pub(crate) fn get_like(&self, object: &CachedObject<K>) -> Option<&CachedObject<K>> {
        self.objects.get(&ByKey(object.clone())).map(|object| &object.0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &CachedObject<K>> {
        self.objects.iter().map(|object| &object.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Bytes of all objects as they arrived.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts in an object; returns the one it replaces.
    pub(crate) fn insert(&mut self, object: CachedObject<K>) -> Option<CachedObject<K>> {
        self.bytes += object.size();
        let old = self.objects.replace(ByKey(object.clone())).map(|old| old.0);
        self.bytes -= old.as_ref().map_or(0, CachedObject::size);
        for index in self.indices.values_mut() {
            index.change(old.as_ref(), Some(&object));
        }
        old
    }

    /// Takes out an object.
    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<CachedObject<K>> {
        let old = self.objects.take(&Key(key))?;
        Some(self.removed(old))
    }

    /// Takes out the object that this one is a state of, or that had its name before.
    pub(crate) fn remove_like(&mut self, object: &CachedObject<K>) -> Option<CachedObject<K>> {
        let old = self.objects.take(&ByKey(object.clone()))?;
        Some(self.removed(old))
    }

    fn removed(&mut self, ByKey(old): ByKey<K>) -> CachedObject<K> {
        self.bytes -= old.size();
        for index in self.indices.values_mut() {
            index.change(Some(&old), None);
        }
        old
    }

    /// Makes room for so many objects more.
    pub(crate) fn reserve(&mut self, objects: usize) {
        self.objects.reserve(objects);
    }

    /// Adds an index over the objects that are there and those to come; false where the name is taken.
    pub(super) fn add_index(&mut self, name: &str, function: IndexFunction<K>) -> bool {
        if self.indices.contains_key(name) {
            return false;
        }
        let mut index = Index {
            function,
            objects: HashMap::default(),
        };
        self.iter().for_each(|object| index.change(None, Some(object)));
        self.indices.insert(name.to_owned(), index);
        true
    }

    /// The objects under one value of an index; `None` where there is no such index.
    pub(super) fn by_index(&self, name: &str, value: &str) -> Option<Vec<CachedObject<K>>> {
        let objects = self.indices.get(name)?.objects.get(value);
        Some(objects.into_iter().flatten().map(|object| object.0.clone()).collect())
    }

    /// Every value of an index that has objects; `None` where there is no such index.
    pub(super) fn index_values(&self, name: &str) -> Option<Vec<String>> {
        Some(self.indices.get(name)?.objects.keys().cloned().collect())
    }
}

impl<K: Decode> Index<K> {
    /// One state of an object takes the place of another, of none where it is new, or goes.
    fn change(&mut self, old: Option<&CachedObject<K>>, new: Option<&CachedObject<K>>) {
        let values = new.map(&self.function).unwrap_or_default();
        if let Some(old) = old {
            let gone = (self.function)(old).into_iter().filter(|value| !values.contains(value));
            gone.collect::<Vec<_>>()
                .iter()
                .for_each(|value| self.remove(value, old));
        }
        if let Some(new) = new {
            for value in values {
                self.objects.entry(value).or_default().replace(ByKey(new.clone()));
            }
        }
    }

    fn remove(&mut self, value: &str, object: &CachedObject<K>) {
        if let Some(objects) = self.objects.get_mut(value) {
            objects.remove(&ByKey(object.clone()));
            if objects.is_empty() {
                self.objects.remove(value);
            }
        }
    }
}
