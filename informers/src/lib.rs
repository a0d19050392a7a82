//! Shared informers: watches of Kubernetes collections with a local store, as in client-go.
//!
//! A [`SharedInformerFactory`] gives one [`SharedInformer`] per type and namespace. Each keeps a store equal to the
//! collection, which a [`Lister`] reads without any request, and tells [`EventHandler`]s what changes.

pub mod cache;
#[cfg(test)]
mod contract;
pub mod controller;
pub mod delta_fifo;
pub mod events;
pub mod factory;
#[cfg(test)]
mod fake;
pub mod leader_election;
pub mod metrics;
mod random;
pub mod reflector;
pub mod shared_informer;
pub mod workqueue;

pub use cache::{CacheFormat, CachedObject, Indexer, Lister, NamespaceLister};
pub use controller::Controller;
pub use factory::SharedInformerFactory;
pub use metrics::Metrics;
pub use reflector::{ListWatch, Reflector, ReflectorOptions};
pub use shared_informer::{
    Event, EventHandler, EventHandlerFuncs, Events, HandlerRegistration, HandlerStats, InformerOptions, InformerStats,
    SharedInformer,
};
pub use workqueue::WorkQueue;
