//! The informers of a program, one per type and namespace.
//!
//! The contract:
//! - Whoever asks a [`SharedInformerFactory`] for the informer of a type gets the same one: one watch, one store.
//! - [`start`](SharedInformerFactory::start) starts the informers that were asked for so far; it may be called again
//!   after more were.
//! - [`wait_for_cache_sync`](SharedInformerFactory::wait_for_cache_sync) says for each informer that is not ready why.
//! - [`shutdown`](SharedInformerFactory::shutdown) joins every task; dropping the last clone of the factory stops the
//!   informers without waiting.

mod builder;
mod sync;
#[cfg(test)]
mod tests;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use kubewire_client::{Api, Clientset, Object};
use parking_lot::Mutex;

pub use builder::SharedInformerFactoryBuilder;
pub use sync::{CacheSyncError, NotSynced, NotSyncedReason};

use self::builder::Settings;
use crate::reflector::{ListWatch, Tweaked};
use crate::shared_informer::{InformerStats, SharedInformer};

/// The informers of a program; see the [module](self). Cloning is cheap and shares them.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kubewire_client::Clientset;
/// use kubewire_informers::{EventHandlerFuncs, SharedInformerFactory};
/// # use kubewire_client::transport::{Body, Transport, TransportError};
/// # use futures::StreamExt;
/// # struct OneConfigMap;
/// # #[async_trait::async_trait]
/// # impl Transport for OneConfigMap {
/// #     async fn send(&self, request: http::Request<bytes::Bytes>) -> Result<http::Response<Body>, TransportError> {
/// #         let list = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},
/// #             "items":[{"metadata":{"name":"web","namespace":"shop","resourceVersion":"3"},"data":{"colour":"red"}}]}"#;
/// #         let body: Body = if request.uri().query().unwrap_or_default().contains("watch=true") {
/// #             futures::stream::pending().boxed()
/// #         } else {
/// #             futures::stream::iter([Ok(bytes::Bytes::from_static(list.as_bytes()))]).boxed()
/// #         };
/// #         Ok(http::Response::builder().header("content-type", "application/json").body(body).unwrap())
/// #     }
/// # }
/// # fn clientset() -> Clientset {
/// #     Clientset::from_client(kubewire_client::Client::with_transport(std::sync::Arc::new(OneConfigMap)))
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clientset: Clientset = clientset(); // Clientset::try_default()? in a real program
/// let factory = SharedInformerFactory::new(clientset);
///
/// let config_maps = factory.informer::<ConfigMap>();
/// let handler = EventHandlerFuncs::new()
///     .on_add(|map, _| println!("new: {}", map.key()))
///     .on_update(|old, new| println!("{} is now at {}", old.key(), new.resource_version()));
/// let registration = config_maps.add_handler(handler)?;
///
/// factory.start();
/// factory.wait_for_cache_sync().await?;
/// registration.wait_for_sync().await?;
///
/// let web = config_maps.lister().namespace("shop").get("web").ok_or("no such config map")?;
/// let data = web.decode()?.data.clone().unwrap_or_default();
/// assert_eq!(data["colour"], "red");
///
/// factory.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct SharedInformerFactory {
    shared: Arc<Shared>,
}

struct Shared {
    clientset: Clientset,
    settings: Settings,
    informers: Mutex<HashMap<(TypeId, String), Arc<dyn AnyInformer>>>,
}

impl SharedInformerFactory {
    /// A factory for all namespaces with a resync period of 10 minutes.
    pub fn new(clientset: Clientset) -> Self {
        Self::builder(clientset).build()
    }

    /// A factory with other settings.
    pub fn builder(clientset: Clientset) -> SharedInformerFactoryBuilder {
        SharedInformerFactoryBuilder::new(clientset)
    }

    /// The informer of a type in the factory's namespace.
    pub fn informer<K: Object>(&self) -> SharedInformer<K> {
        self.informer_in(&self.shared.settings.namespace)
    }

    /// The informer of a type in one namespace; in all where it is empty.
    pub fn informer_in<K: Object>(&self, namespace: &str) -> SharedInformer<K> {
        let namespace = if K::NAMESPACED { namespace } else { "" };
        let key = (TypeId::of::<K>(), namespace.to_owned());
        let mut informers = self.shared.informers.lock();
        let known = informers.get(&key).and_then(|informer| {
            let informer: &dyn Any = &**informer;
            informer.downcast_ref::<SharedInformer<K>>().cloned()
        });
        known.unwrap_or_else(|| {
            let informer = self.new_informer::<K>(namespace);
            informers.insert(key, Arc::new(informer.clone()));
            informer
        })
    }

    /// Starts every informer that was asked for and has not been started.
    ///
    /// # Panics
    /// Outside of a tokio runtime, like `tokio::spawn`.
    pub fn start(&self) {
        self.informers().iter().for_each(|informer| informer.start());
    }

    /// Waits until every informer that was asked for has its store filled, as long as that takes. Cancel safe.
    ///
    /// # Errors
    /// Some informers cannot get there: they were not started, or have stopped. The error names each, with what went
    /// wrong last.
    pub async fn wait_for_cache_sync(&self) -> Result<(), CacheSyncError> {
        let informers = self.informers();
        let waits = informers.iter().map(|informer| informer.wait());
        CacheSyncError::check(join_all(waits).await)
    }

    /// Like [`wait_for_cache_sync`](SharedInformerFactory::wait_for_cache_sync), for at most so long a time; the error
    /// then names what went wrong last for each informer that is not ready.
    pub async fn wait_for_cache_sync_timeout(&self, limit: Duration) -> Result<(), CacheSyncError> {
        let informers = self.informers();
        let waits = informers.iter().map(|informer| async {
            let timed_out = tokio::time::timeout(limit, informer.wait()).await;
            timed_out.unwrap_or_else(|_| informer.not_synced(NotSyncedReason::TimedOut(limit)))
        });
        CacheSyncError::check(join_all(waits).await)
    }

    /// How each informer stands, by what it informs about.
    pub fn stats(&self) -> Vec<(String, InformerStats)> {
        let informers = self.informers();
        let mut stats: Vec<_> = informers.iter().map(|informer| informer.stats()).collect();
        stats.sort_by(|(one, _), (other, _)| one.cmp(other));
        stats
    }

    /// Stops every informer and waits until all their tasks have ended. Cancel safe: they stop all the same.
    pub async fn shutdown(&self) {
        let informers = self.informers();
        informers.iter().for_each(|informer| informer.cancel());
        join_all(informers.iter().map(|informer| informer.shutdown())).await;
    }

    /// The client behind the informers.
    pub fn clientset(&self) -> &Clientset {
        &self.shared.clientset
    }

    fn new_informer<K: Object>(&self, namespace: &str) -> SharedInformer<K> {
        let settings = &self.shared.settings;
        let api = Api::<K>::namespaced(self.shared.clientset.client().clone(), namespace);
        let source: Arc<dyn ListWatch> = match settings.tweak.clone() {
            Some(tweak) => Arc::new(Tweaked::new(api, tweak)),
            None => Arc::new(api),
        };
        SharedInformer::new(source, settings.options_for::<K>())
    }

    fn informers(&self) -> Vec<Arc<dyn AnyInformer>> {
        self.shared.informers.lock().values().cloned().collect()
    }
}

/// What a factory does with informers of whatever type.
#[async_trait]
trait AnyInformer: Any + Send + Sync {
    fn start(&self);
    fn cancel(&self);
    fn stats(&self) -> (String, InformerStats);
    fn not_synced(&self, reason: NotSyncedReason) -> Result<(), NotSynced>;
    async fn wait(&self) -> Result<(), NotSynced>;
    async fn shutdown(&self);
}

#[async_trait]
impl<K: Object> AnyInformer for SharedInformer<K> {
    fn start(&self) {
        SharedInformer::start(self);
    }

    fn cancel(&self) {
        SharedInformer::cancel(self);
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

impl Drop for Shared {
    fn drop(&mut self) {
        self.informers.lock().values().for_each(|informer| informer.cancel());
    }
}

impl Clone for SharedInformerFactory {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl fmt::Debug for SharedInformerFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedInformerFactory")
            .field("informers", &self.shared.informers.lock().len())
            .finish_non_exhaustive()
    }
}
