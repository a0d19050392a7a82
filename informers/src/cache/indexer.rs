//! The thread-safe store.

use kubewire_client::selector::LabelSelector;
use kubewire_client::{Decode, ObjectKey};
use parking_lot::RwLock;

use super::{CachedObject, Objects};

/// Name of the index over namespaces that every [`Indexer`] has.
pub const NAMESPACE_INDEX: &str = "namespace";

/// Says under which values an object is to be found.
pub(super) type IndexFunction<K> = Box<dyn Fn(&CachedObject<K>) -> Vec<String> + Send + Sync>;

/// Objects by key with indices over them; client-go's `Store`, `Indexer` and `ThreadSafeStore` in one.
///
/// Every method sees or makes one state of the whole store.
pub struct Indexer<K: Decode>(RwLock<Objects<K>>);

/// A name of an index that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// An index of this name exists.
    #[error("there is already an index {0:?}")]
    Exists(String),
    /// No index of this name exists.
    #[error("there is no index {0:?}")]
    Unknown(String),
}

impl<K: Decode> Indexer<K> {
    /// An empty store with the index over namespaces.
    pub fn new() -> Self {
        let mut objects = Objects::new();
        objects.add_index(NAMESPACE_INDEX, Box::new(|object| vec![object.namespace().to_owned()]));
        Self(RwLock::new(objects))
    }

    /// Adds an index over the objects that are there and those to come.
    ///
    /// `function` says under which values an object is to be found. It is called with the store locked, twice per
    /// change: it must be quick, must not panic, and must say the same each time for the same object.
    pub fn add_index(
        &self,
        name: &str,
        function: impl Fn(&CachedObject<K>) -> Vec<String> + Send + Sync + 'static,
    ) -> Result<(), IndexError> {
        let added = self.0.write().add_index(name, Box::new(function));
        added.then_some(()).ok_or_else(|| IndexError::Exists(name.to_owned()))
    }

    /// Adds an index whose function looks inside the objects; one that its type cannot hold is found nowhere.
    ///
    /// It decodes every object on arrival: with [`CacheFormat::Lazy`](super::CacheFormat) all of them then stay decoded.
    pub fn add_object_index(
        &self,
        name: &str,
        function: impl Fn(&K) -> Vec<String> + Send + Sync + 'static,
    ) -> Result<(), IndexError> {
        self.add_index(name, move |object| {
            object.decode().map(|object| function(&object)).unwrap_or_default()
        })
    }

    /// The object of this key.
    pub fn get(&self, key: &ObjectKey) -> Option<CachedObject<K>> {
        self.0.read().get(key).cloned()
    }

    /// All objects, in no particular order.
    pub fn list(&self) -> Vec<CachedObject<K>> {
        self.0.read().iter().cloned().collect()
    }

    /// The objects whose labels fulfil the selector, in no particular order.
    pub fn select(&self, selector: &LabelSelector) -> Vec<CachedObject<K>> {
        let mut objects = self.list();
        objects.retain(|object| object.is_selected_by(selector));
        objects
    }

    /// The objects under one value of an index, in no particular order.
    pub fn by_index(&self, name: &str, value: &str) -> Result<Vec<CachedObject<K>>, IndexError> {
        let objects = self.0.read().by_index(name, value);
        objects.ok_or_else(|| IndexError::Unknown(name.to_owned()))
    }

    /// Every value of an index that has objects, in no particular order.
    pub fn index_values(&self, name: &str) -> Result<Vec<String>, IndexError> {
        let values = self.0.read().index_values(name);
        values.ok_or_else(|| IndexError::Unknown(name.to_owned()))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.read().len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all objects as they arrived.
    pub fn bytes(&self) -> usize {
        self.0.read().bytes()
    }

    /// Puts in an object; returns the one it replaces.
    pub fn insert(&self, object: CachedObject<K>) -> Option<CachedObject<K>> {
        self.0.write().insert(object)
    }

    /// Takes out an object.
    pub fn remove(&self, key: &ObjectKey) -> Option<CachedObject<K>> {
        self.0.write().remove(key)
    }

    /// Makes the content these objects, in one step.
    pub fn replace(&self, objects: Vec<CachedObject<K>>) {
        self.change(|content| {
            let gone: Vec<_> = content.iter().cloned().collect();
            for object in gone {
                content.remove_like(&object);
            }
            for object in objects {
                content.insert(object);
            }
        });
    }

    /// Makes several changes in one step.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Objects<K>) -> R) -> R {
        change(&mut self.0.write())
    }
}

impl<K: Decode> Default for Indexer<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Decode> std::fmt::Debug for Indexer<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexer")
            .field("len", &self.0.read().len())
            .finish_non_exhaustive()
    }
}
