//! Who is told of changes.

use async_trait::async_trait;
use kubewire_client::Decode;

use crate::cache::CachedObject;

/// Is told of the changes of a collection; see the [contract](super).
///
/// The methods of one handler are called one after the other from a task of its own. A handler may take its time: it
/// delays only itself, and what changes meanwhile is coalesced per object. Methods that are not written do nothing.
#[async_trait]
pub trait EventHandler<K: Decode>: Send + 'static {
    /// An object is there that this handler has not seen; `is_in_initial_list` where it was there when the handler, or
    /// the informer, began.
    async fn on_add(&mut self, object: &CachedObject<K>, is_in_initial_list: bool) {
        let _ = (object, is_in_initial_list);
    }

    /// An object changed; `old` is the state that this handler saw last.
    async fn on_update(&mut self, old: &CachedObject<K>, new: &CachedObject<K>) {
        let _ = (old, new);
    }

    /// The resync period has passed; nothing changed.
    async fn on_sync(&mut self, object: &CachedObject<K>) {
        let _ = object;
    }

    /// An object is gone. Where `final_state_known` is false its deletion was missed, and `object` is the last state
    /// that was known.
    async fn on_delete(&mut self, object: &CachedObject<K>, final_state_known: bool) {
        let _ = (object, final_state_known);
    }
}

type OnAdd<K> = Box<dyn FnMut(&CachedObject<K>, bool) + Send>;
type OnUpdate<K> = Box<dyn FnMut(&CachedObject<K>, &CachedObject<K>) + Send>;
type OnSync<K> = Box<dyn FnMut(&CachedObject<K>) + Send>;
type OnDelete<K> = Box<dyn FnMut(&CachedObject<K>, bool) + Send>;

/// An [`EventHandler`] of closures. They must not block: what takes long belongs into a queue or an `EventHandler` of
/// its own.
///
/// ```
/// use k8s_openapi::api::core::v1::Pod;
/// use kubewire_informers::EventHandlerFuncs;
///
/// let handler = EventHandlerFuncs::<Pod>::new()
///     .on_add(|pod, _| println!("new: {}", pod.key()))
///     .on_delete(|pod, _| println!("gone: {}", pod.key()));
/// # drop(handler);
/// ```
#[must_use]
pub struct EventHandlerFuncs<K: Decode> {
    add: Option<OnAdd<K>>,
    update: Option<OnUpdate<K>>,
    sync: Option<OnSync<K>>,
    delete: Option<OnDelete<K>>,
}

impl<K: Decode> EventHandlerFuncs<K> {
    /// A handler that does nothing yet.
    pub fn new() -> Self {
        Self {
            add: None,
            update: None,
            sync: None,
            delete: None,
        }
    }

    /// See [`EventHandler::on_add`].
    pub fn on_add(mut self, add: impl FnMut(&CachedObject<K>, bool) + Send + 'static) -> Self {
        self.add = Some(Box::new(add));
        self
    }

    /// See [`EventHandler::on_update`].
    pub fn on_update(mut self, update: impl FnMut(&CachedObject<K>, &CachedObject<K>) + Send + 'static) -> Self {
        self.update = Some(Box::new(update));
        self
    }

    /// See [`EventHandler::on_sync`].
    pub fn on_sync(mut self, sync: impl FnMut(&CachedObject<K>) + Send + 'static) -> Self {
        self.sync = Some(Box::new(sync));
        self
    }

    /// See [`EventHandler::on_delete`].
    pub fn on_delete(mut self, delete: impl FnMut(&CachedObject<K>, bool) + Send + 'static) -> Self {
        self.delete = Some(Box::new(delete));
        self
    }
}

#[async_trait]
impl<K: Decode> EventHandler<K> for EventHandlerFuncs<K> {
    async fn on_add(&mut self, object: &CachedObject<K>, is_in_initial_list: bool) {
        if let Some(add) = &mut self.add {
            add(object, is_in_initial_list);
        }
    }

    async fn on_update(&mut self, old: &CachedObject<K>, new: &CachedObject<K>) {
        if let Some(update) = &mut self.update {
            update(old, new);
        }
    }

    async fn on_sync(&mut self, object: &CachedObject<K>) {
        if let Some(sync) = &mut self.sync {
            sync(object);
        }
    }

    async fn on_delete(&mut self, object: &CachedObject<K>, final_state_known: bool) {
        if let Some(delete) = &mut self.delete {
            delete(object, final_state_known);
        }
    }
}

impl<K: Decode> Default for EventHandlerFuncs<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Decode> std::fmt::Debug for EventHandlerFuncs<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventHandlerFuncs").finish_non_exhaustive()
    }
}
