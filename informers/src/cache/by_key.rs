//! Objects as their own keys: a table of them needs no keys beside them.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use hashbrown::Equivalent;
use kubewire_client::{Decode, ObjectKey};

use super::CachedObject;

/// An object that equals every other of its namespace and name.
pub(crate) struct ByKey<K: Decode>(pub(crate) CachedObject<K>);

impl<K: Decode> Clone for ByKey<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Decode> PartialEq for ByKey<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_entry(&other.0) || (self.0.name() == other.0.name() && self.0.namespace() == other.0.namespace())
    }
}

impl<K: Decode> Eq for ByKey<K> {}

impl<K: Decode> Hash for ByKey<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.key_hash());
    }
}

/// What an object is looked up by.
pub(crate) struct Key<'a>(pub(crate) &'a ObjectKey);

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(hash_of(&self.0.namespace, &self.0.name));
    }
}

impl<K: Decode> Equivalent<ByKey<K>> for Key<'_> {
    fn equivalent(&self, object: &ByKey<K>) -> bool {
        self.0.name == object.0.name() && self.0.namespace == object.0.namespace()
    }
}

/// What stands for a key in every table: an object is in many, and computes it once.
pub(super) fn hash_of(namespace: &str, name: &str) -> u64 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    STATE.hash_one((namespace, name))
}
