//! What a factory does with informers of whatever type.

use std::any::Any;

use async_trait::async_trait;
use kubewire_client::Decode;

use super::{NotSynced, NotSyncedReason};
use crate::shared_informer::{InformerStats, SharedInformer};

#[async_trait]
pub(super) trait AnyInformer: Any + Send + Sync {
    fn start(&self);
    fn cancel(&self);
    fn is_ended(&self) -> bool;
    fn stats(&self) -> (String, InformerStats);
    fn not_synced(&self, reason: NotSyncedReason) -> Result<(), NotSynced>;
    async fn wait(&self) -> Result<(), NotSynced>;
    async fn shutdown(&self);
}

#[async_trait]
impl<K: Decode> AnyInformer for SharedInformer<K> {
    fn start(&self) {
        SharedInformer::start(self);
    }

    fn cancel(&self) {
        SharedInformer::cancel(self);
    }

    fn is_ended(&self) -> bool {
        SharedInformer::is_ended(self)
    }

    fn stats(&self) -> (String, InformerStats) {
        (self.describe(), SharedInformer::stats(self))
    }

    fn not_synced(&self, reason: NotSyncedReason) -> Result<(), NotSynced> {
        Err(NotSynced {
            informer: self.describe(),
            reason,
            last_error: SharedInformer::stats(self).reflector.last_error,
        })
    }

    async fn wait(&self) -> Result<(), NotSynced> {
        if !self.is_started() && !self.is_stopped() {
            return self.not_synced(NotSyncedReason::NotStarted);
        }
        match self.wait_for_sync().await {
            Ok(()) => Ok(()),
            Err(_) => self.not_synced(NotSyncedReason::Stopped),
        }
    }

    async fn shutdown(&self) {
        SharedInformer::shutdown(self).await;
    }
}
