//! What handlers are told, as a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures::Stream;
use kubewire_client::Decode;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{EventHandler, HandlerRegistration};
use crate::cache::CachedObject;

/// One thing that an informer tells; see [`EventHandler`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<K: Decode> {
    /// An object is there that was not.
    Added {
        /// The object.
        object: CachedObject<K>,
        /// True where it was there when the stream, or the informer, began.
        is_in_initial_list: bool,
    },
    /// An object changed.
    Updated {
        /// The state that the stream had last.
        old: CachedObject<K>,
        /// The present state.
        new: CachedObject<K>,
    },
    /// The resync period has passed; nothing changed.
    Synced(CachedObject<K>),
    /// An object is gone.
    Deleted {
        /// The last state that is known.
        object: CachedObject<K>,
        /// False where the deletion was missed.
        final_state_known: bool,
    },
}

impl<K: Decode> Event<K> {
    /// The object, in its latest state.
    pub fn object(&self) -> &CachedObject<K> {
        match self {
            Self::Added { object, .. } | Self::Synced(object) | Self::Deleted { object, .. } => object,
            Self::Updated { new, .. } => new,
        }
    }
}

/// The events of an informer, which it keeps running. Whoever reads them slowly gets fewer: what changes meanwhile is
/// coalesced per object. Ends where the informer stops.
#[must_use = "events wait until they are read"]
pub struct Events<K: Decode> {
    receiver: mpsc::Receiver<Event<K>>,
    registration: HandlerRegistration,
    _informer: Option<Arc<dyn Send + Sync>>,
}

impl<K: Decode> Events<K> {
    pub(super) fn new(
        receiver: mpsc::Receiver<Event<K>>,
        registration: HandlerRegistration,
        informer: Option<Arc<dyn Send + Sync>>,
    ) -> Self {
        Self {
            receiver,
            registration,
            _informer: informer,
        }
    }

    /// How the stream stands.
    pub fn registration(&self) -> &HandlerRegistration {
        &self.registration
    }
}

impl<K: Decode> Stream for Events<K> {
    type Item = Event<K>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event<K>>> {
        self.receiver.poll_recv(context)
    }
}

impl<K: Decode> Drop for Events<K> {
    fn drop(&mut self) {
        self.registration.remove();
    }
}

impl<K: Decode> std::fmt::Debug for Events<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("registration", &self.registration)
            .finish_non_exhaustive()
    }
}

/// A handler that hands everything on until the informer stops.
pub(super) struct Forward<K: Decode> {
    pub(super) sender: mpsc::Sender<Event<K>>,
    pub(super) stop: CancellationToken,
}

impl<K: Decode> Forward<K> {
    async fn send(&self, event: Event<K>) {
        // Nobody reads any more where the stream was dropped, which also removes this handler. Nobody may read one that
        // is still there either, and the informer's end does not wait for it.
        let _ = self.stop.run_until_cancelled(self.sender.send(event)).await;
    }
}

#[async_trait]
impl<K: Decode> EventHandler<K> for Forward<K> {
    async fn on_add(&mut self, object: &CachedObject<K>, is_in_initial_list: bool) {
        let object = object.clone();
        self.send(Event::Added {
            object,
            is_in_initial_list,
        })
        .await;
    }

    async fn on_update(&mut self, old: &CachedObject<K>, new: &CachedObject<K>) {
        let (old, new) = (old.clone(), new.clone());
        self.send(Event::Updated { old, new }).await;
    }

    async fn on_sync(&mut self, object: &CachedObject<K>) {
        self.send(Event::Synced(object.clone())).await;
    }

    async fn on_delete(&mut self, object: &CachedObject<K>, final_state_known: bool) {
        let object = object.clone();
        self.send(Event::Deleted {
            object,
            final_state_known,
        })
        .await;
    }
}
