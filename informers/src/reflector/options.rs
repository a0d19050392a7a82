//! How a reflector works.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kubewire_client::backoff::ExponentialOptions;
use kubewire_client::wire::{EncodedObject, WireError};
use kubewire_client::{Decode, Object, ResourceVersion};

use super::ReflectorError;
use crate::cache::CacheFormat;
use crate::metrics::{Metrics, NoMetrics};

/// Is told of everything that goes wrong; must be quick.
pub type ErrorHandler = Arc<dyn Fn(&ReflectorError) + Send + Sync>;

/// Makes another object of an encoded one.
pub type Transform = Arc<dyn Fn(&EncodedObject) -> Result<EncodedObject, WireError> + Send + Sync>;

/// Options of a [`Reflector`](super::Reflector).
#[derive(Clone)]
#[non_exhaustive]
pub struct ReflectorOptions {
    /// Most objects of one page of a list. Default 500.
    ///
    /// A server that answers from its watch cache sends the whole list at once all the same.
    pub page_size: i64,
    /// Asks for the initial state as events of a watch (KEP-3157), which spares the server's memory; a server that
    /// cannot do it is asked for a list. Default on.
    pub streaming_list: bool,
    /// The shortest time that the server is asked to let a watch last; the longest is twice that. After it, the watch
    /// goes on with a new request. Default 5 min, as in client-go.
    pub min_watch_timeout: Duration,
    /// What is kept of objects, and when they are decoded. Default [`CacheFormat::Lazy`].
    pub cache_format: CacheFormat,
    /// Keeps managed fields, which are often a third of an object. Default off.
    pub managed_fields: bool,
    /// Is applied to every object before it is kept; one for which it fails is reported, and kept as it came. Default none.
    pub transform: Option<Transform>,
    /// The first list must not be older than this version, which a program may have saved from its last run; unset for
    /// whatever the server has at hand. Default unset.
    pub not_older_than: ResourceVersion,
    /// Is told what is done. Default: nobody.
    pub metrics: Arc<dyn Metrics>,
    /// How long to wait between tries. Default 0.8 s, doubled up to 30 s, jittered; starts anew with the first event
    /// of a watch.
    pub backoff: ExponentialOptions,
    /// Is told of everything that goes wrong. Default: a warning in the log.
    pub on_error: ErrorHandler,
}

impl Default for ReflectorOptions {
    fn default() -> Self {
        Self {
            page_size: 500,
            streaming_list: true,
            min_watch_timeout: Duration::from_secs(300),
            cache_format: CacheFormat::default(),
            managed_fields: false,
            transform: None,
            not_older_than: ResourceVersion::default(),
            metrics: Arc::new(NoMetrics),
            backoff: ExponentialOptions::default(),
            on_error: Arc::new(|error| tracing::warn!(%error, "reflector")),
        }
    }
}

impl ReflectorOptions {
    /// Sets how many objects a page of a list has at most.
    #[must_use]
    pub fn with_page_size(mut self, objects: i64) -> Self {
        self.page_size = objects;
        self
    }

    /// Sets whether the initial state is asked for as events of a watch.
    #[must_use]
    pub fn with_streaming_list(mut self, streaming: bool) -> Self {
        self.streaming_list = streaming;
        self
    }

    /// Sets the shortest time that the server is asked to let a watch last.
    #[must_use]
    pub fn with_min_watch_timeout(mut self, timeout: Duration) -> Self {
        self.min_watch_timeout = timeout;
        self
    }

    /// Sets what is kept of objects, and when they are decoded.
    #[must_use]
    pub fn with_cache_format(mut self, format: CacheFormat) -> Self {
        self.cache_format = format;
        self
    }

    /// Sets whether managed fields are kept.
    #[must_use]
    pub fn with_managed_fields(mut self, keep: bool) -> Self {
        self.managed_fields = keep;
        self
    }

    /// Changes every object before it is kept: leaves out what nobody needs, as a rule.
    ///
    /// It costs decoding and encoding each object once. An object that its type cannot hold is reported, and kept as it
    /// came.
    #[must_use]
    pub fn with_transform<K: Object>(self, transform: impl Fn(&mut K) + Send + Sync + 'static) -> Self {
        self.with_transform_in((), transform)
    }

    /// Like [`with_transform`](ReflectorOptions::with_transform), for objects that are not decoded by their type alone.
    #[must_use]
    pub fn with_transform_in<K: Decode>(
        mut self,
        context: K::Context,
        transform: impl Fn(&mut K) + Send + Sync + 'static,
    ) -> Self {
        self.transform = Some(Arc::new(move |object| {
            let mut decoded = K::decode_in(object, &context)?;
            transform(&mut decoded);
            decoded.encode_in(object.encoding, &context)
        }));
        self
    }

    /// Sets which version the first list must not be older than.
    #[must_use]
    pub fn with_not_older_than(mut self, version: ResourceVersion) -> Self {
        self.not_older_than = version;
        self
    }

    /// Sets who is told what is done.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<dyn Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Sets how long to wait between tries.
    #[must_use]
    pub fn with_backoff(mut self, backoff: ExponentialOptions) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets who is told of what goes wrong.
    #[must_use]
    pub fn with_error_handler(mut self, handler: impl Fn(&ReflectorError) + Send + Sync + 'static) -> Self {
        self.on_error = Arc::new(handler);
        self
    }
}

impl fmt::Debug for ReflectorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReflectorOptions")
            .field("page_size", &self.page_size)
            .field("streaming_list", &self.streaming_list)
            .field("cache_format", &self.cache_format)
            .field("managed_fields", &self.managed_fields)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}
