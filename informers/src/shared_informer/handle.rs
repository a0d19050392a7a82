//! Who keeps an informer running.

use std::sync::{Arc, Weak};

use kubewire_client::Decode;
use parking_lot::Mutex;

use super::{Core, SharedInformer};

/// While one of these is there, the informer runs. Handles and listers share one.
pub(super) struct Handle<K: Decode>(Weak<Core<K>>);

/// The handle that users of an informer share now.
pub(super) struct Handles<K: Decode>(Mutex<Weak<Handle<K>>>);

impl<K: Decode> Handles<K> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }
}

impl<K: Decode> Drop for Handle<K> {
    fn drop(&mut self) {
        if let Some(core) = self.0.upgrade() {
            core.stop_if_unused();
        }
    }
}

impl<K: Decode> Core<K> {
    /// A handle of the informer; `None` where it has stopped.
    pub(super) fn handle(self: &Arc<Self>) -> Option<Arc<Handle<K>>> {
        let mut handles = self.handles.0.lock();
        if self.stop.is_cancelled() {
            return None;
        }
        Some(handles.upgrade().unwrap_or_else(|| {
            let handle = Arc::new(Handle(Arc::downgrade(self)));
            *handles = Arc::downgrade(&handle);
            handle
        }))
    }

    pub(super) fn remove_handler(&self, id: u64) {
        self.processor.lock().remove(id);
        if self.kept_by_handlers {
            self.stop_if_unused();
        }
    }

    /// Stops the informer where nobody has a handle, and no handler keeps it.
    fn stop_if_unused(&self) {
        // Under the lock, so that nobody gets a handle to an informer that stops.
        let handles = self.handles.0.lock();
        let processor = self.processor.lock();
        let kept = self.kept_by_handlers && processor.len() > 0;
        if handles.strong_count() == 0 && !kept {
            self.stop.cancel();
        }
        drop((handles, processor));
        self.forget_if_unused();
    }

    /// Lets go of the objects of an informer that has stopped and that nobody can read any more: its factory knows it
    /// for a while yet.
    pub(super) fn forget_if_unused(&self) {
        if self.stop.is_cancelled() && self.handles.0.lock().strong_count() == 0 {
            self.indexer.replace(Vec::new());
            self.fifo.clear();
        }
    }
}

impl<K: Decode> SharedInformer<K> {
    /// The same informer, without keeping it running.
    pub(crate) fn downgraded(&self) -> Self {
        Self {
            core: self.core.clone(),
            handle: None,
        }
    }

    /// The same informer, kept running; `None` where it has stopped.
    pub(crate) fn upgraded(&self) -> Option<Self> {
        Some(Self {
            core: self.core.clone(),
            handle: Some(self.core.handle()?),
        })
    }
}
