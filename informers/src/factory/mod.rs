//! The informers of a program, one per type and scope.
//!
//! The contract. Each sentence has a number, by which the test names it that proves it.
//! - **F1** Whoever asks a [`SharedInformerFactory`] for the informer of a type gets the same one: one watch, one
//!   store. **F2** There are informers of types, of objects without a type
//!   ([`dynamic`](SharedInformerFactory::dynamic)), and of metadata only
//!   ([`metadata`](SharedInformerFactory::metadata)). **F3** An informer can have a namespace and selectors of its own
//!   ([`Scope`]).
//! - **F4** [`start`](SharedInformerFactory::start) starts the informers that were asked for so far; it may be called
//!   again after more were.
//! - **F5** [`wait_for_cache_sync`](SharedInformerFactory::wait_for_cache_sync) says for each informer that is not
//!   ready why.
//! - **F6** An informer stops when the last of its handles, listers, event streams and handlers is gone; who asks for
//!   it then gets a new one.
//! - **F7** [`shutdown`](SharedInformerFactory::shutdown) joins every task; dropping the last clone of the factory
//!   stops the informers without waiting.

mod any;
mod builder;
mod scope;
mod sync;
#[cfg(test)]
mod tests;

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kubewire_client::dynamic::{ApiResource, DynamicApi, DynamicObject};
use kubewire_client::metadata::PartialObjectMetadata;
use kubewire_client::{Api, Client, Clientset, Decode, Gvr, Object};
use parking_lot::Mutex;

pub use builder::SharedInformerFactoryBuilder;
pub use scope::Scope;
pub use sync::{CacheSyncError, NotSynced, NotSyncedReason};

use self::any::AnyInformer;
use self::builder::Settings;
use crate::reflector::{ListWatch, MetadataSource, Tweaked};
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
/// #         let query = request.uri().query().unwrap_or_default();
/// #         if query.contains("sendInitialEvents") {
/// #             return Ok(http::Response::builder().status(422).body(futures::stream::empty().boxed()).unwrap());
/// #         }
/// #         let body: Body = if query.contains("watch=true") {
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
    informers: Mutex<Informers>,
}

#[derive(Default)]
struct Informers {
    /// What each is of, and it; stopped ones too until their tasks have ended.
    known: Vec<(Key, Arc<dyn AnyInformer>)>,
    shut_down: bool,
}

/// Which informer: how objects are decoded, of which resource, and which of them.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    decoded: TypeId,
    resource: Gvr,
    scope: Scope,
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

    /// The informer of a type in the factory's scope.
    pub fn informer<K: Object>(&self) -> SharedInformer<K> {
        self.informer_of(self.shared.settings.scope.clone())
    }

    /// The informer of a type in one namespace, with the factory's selectors; in all namespaces where it is empty.
    pub fn informer_in<K: Object>(&self, namespace: &str) -> SharedInformer<K> {
        self.informer_of(self.shared.settings.scope.in_namespace(namespace))
    }

    /// The informer of the objects of a type that are in this scope.
    pub fn informer_of<K: Object>(&self, scope: Scope) -> SharedInformer<K> {
        self.shared_informer(K::gvr(), K::NAMESPACED, scope, |scope| {
            let api = Api::<K>::namespaced(self.client(), &scope.namespace);
            let options = self.shared.settings.options_for::<K>(&K::gvr());
            SharedInformer::build(self.source(api, scope), (), options, true)
        })
    }

    /// The informer of a resource whose type the program does not know, in the factory's scope.
    pub fn dynamic(&self, resource: &ApiResource) -> SharedInformer<DynamicObject> {
        self.dynamic_of(resource, self.shared.settings.scope.clone())
    }

    /// Like [`dynamic`](SharedInformerFactory::dynamic), in one namespace; in all where it is empty.
    pub fn dynamic_in(&self, resource: &ApiResource, namespace: &str) -> SharedInformer<DynamicObject> {
        self.dynamic_of(resource, self.shared.settings.scope.in_namespace(namespace))
    }

    /// Like [`dynamic`](SharedInformerFactory::dynamic), of the objects that are in this scope.
    pub fn dynamic_of(&self, resource: &ApiResource, scope: Scope) -> SharedInformer<DynamicObject> {
        self.shared_informer(resource.gvr.clone(), resource.namespaced, scope, |scope| {
            let api = DynamicApi::namespaced(self.client(), resource, &scope.namespace);
            let options = self.shared.settings.options_for::<DynamicObject>(&resource.gvr);
            SharedInformer::build(self.source(api, scope), Arc::new(resource.clone()), options, true)
        })
    }

    /// The informer of a resource's metadata, in the factory's scope: the server sends nothing else.
    pub fn metadata(&self, resource: &ApiResource) -> SharedInformer<PartialObjectMetadata> {
        self.metadata_of(resource, self.shared.settings.scope.clone())
    }

    /// Like [`metadata`](SharedInformerFactory::metadata), in one namespace; in all where it is empty.
    pub fn metadata_in(&self, resource: &ApiResource, namespace: &str) -> SharedInformer<PartialObjectMetadata> {
        self.metadata_of(resource, self.shared.settings.scope.in_namespace(namespace))
    }

    /// Like [`metadata`](SharedInformerFactory::metadata), of the objects that are in this scope.
    pub fn metadata_of(&self, resource: &ApiResource, scope: Scope) -> SharedInformer<PartialObjectMetadata> {
        self.shared_informer(resource.gvr.clone(), resource.namespaced, scope, |scope| {
            let source = MetadataSource::new(self.client(), resource, &scope.namespace);
            let options = self.shared.settings.options_for::<PartialObjectMetadata>(&resource.gvr);
            SharedInformer::build(self.source(source, scope), Arc::new(resource.clone()), options, true)
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

    /// Stops every informer, and every one that is asked for from now on, and waits until all their tasks have ended. Cancel safe: they stop all the same.
    pub async fn shutdown(&self) {
        self.shared.informers.lock().shut_down = true;
        let informers = self.informers();
        informers.iter().for_each(|informer| informer.cancel());
        join_all(informers.iter().map(|informer| informer.shutdown())).await;
    }

    /// The client behind the informers.
    pub fn clientset(&self) -> &Clientset {
        &self.shared.clientset
    }

    fn client(&self) -> Client {
        self.shared.clientset.client().clone()
    }

    fn source<L: ListWatch>(&self, source: L, scope: &Scope) -> Arc<dyn ListWatch> {
        match self.shared.settings.tweak(scope) {
            Some(tweak) => Arc::new(Tweaked::new(source, tweak)),
            None => Arc::new(source),
        }
    }

    /// The informer of this key that runs, or a new one.
    fn shared_informer<K: Decode>(
        &self,
        resource: Gvr,
        namespaced: bool,
        scope: Scope,
        new: impl FnOnce(&Scope) -> SharedInformer<K>,
    ) -> SharedInformer<K> {
        let key = Key {
            decoded: TypeId::of::<K>(),
            resource,
            scope: if namespaced { scope } else { scope.in_namespace("") },
        };
        let mut informers = self.shared.informers.lock();
        informers.known.retain(|(_, informer)| !informer.is_ended());
        let same_key = informers.known.iter().filter(|(known, _)| *known == key);
        let mut running = same_key.filter_map(|(_, informer)| {
            let informer: &dyn Any = &**informer;
            informer.downcast_ref::<SharedInformer<K>>()?.upgraded()
        });
        if let Some(informer) = running.next() {
            return informer;
        }
        let informer = new(&key.scope);
        if informers.shut_down {
            informer.cancel();
        }
        informers.known.push((key, Arc::new(informer.downgraded())));
        informer
    }

    fn informers(&self) -> Vec<Arc<dyn AnyInformer>> {
        let mut informers = self.shared.informers.lock();
        informers.known.retain(|(_, informer)| !informer.is_ended());
        informers.known.iter().map(|(_, informer)| informer.clone()).collect()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for (_, informer) in &self.informers.lock().known {
            informer.cancel();
        }
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
            .field("informers", &self.shared.informers.lock().known.len())
            .finish_non_exhaustive()
    }
}
