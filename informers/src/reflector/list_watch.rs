//! Where a reflector gets objects from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use kubewire_client::api::EachObject;
use kubewire_client::dynamic::{ApiResource, DynamicApi};
use kubewire_client::metadata::MetadataApi;
use kubewire_client::wire::{EncodedEvent, EncodedList};
use kubewire_client::{Api, Client, Error, Gvr, ListOptions, Object};

/// A stream of changes that are not decoded yet; a server's `ERROR` event is an `Err` and the end.
pub type EventStream = BoxStream<'static, Result<EncodedEvent, Error>>;

/// Lists and watches one collection. [`Api`] does; so can a fake in a test.
#[async_trait]
pub trait ListWatch: Send + Sync + 'static {
    /// One page of the objects: calls `each` with every one as it arrives, and returns the list without them. Cancel safe.
    async fn list(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error>;

    /// The changes from a version on. Cancel safe; dropping the stream ends the watch.
    async fn watch(&self, options: &ListOptions) -> Result<EventStream, Error>;

    /// What is listed, for messages: `pods in namespace shop`.
    fn describe(&self) -> String;
}

#[async_trait]
impl<K: Object> ListWatch for Api<K> {
    async fn list(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.list_each(options, each).await
    }

    async fn watch(&self, options: &ListOptions) -> Result<EventStream, Error> {
        Ok(self.watch_encoded(options).await?.boxed())
    }

    fn describe(&self) -> String {
        describe(&K::gvr(), self.namespace())
    }
}

#[async_trait]
impl ListWatch for DynamicApi {
    async fn list(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.list_each(options, each).await
    }

    async fn watch(&self, options: &ListOptions) -> Result<EventStream, Error> {
        Ok(self.watch_encoded(options).await?.boxed())
    }

    fn describe(&self) -> String {
        describe(&self.resource().gvr, self.namespace())
    }
}

/// Lists and watches the metadata of one resource.
#[derive(Debug)]
pub struct MetadataSource {
    api: MetadataApi,
    about: String,
}

impl MetadataSource {
    /// The metadata of a resource's objects in one namespace; in all where it is empty.
    pub fn new(client: Client, resource: &ApiResource, namespace: &str) -> Self {
        Self {
            api: MetadataApi::namespaced(client, resource, namespace),
            about: format!("metadata of {}", describe(&resource.gvr, namespace)),
        }
    }
}

#[async_trait]
impl ListWatch for MetadataSource {
    async fn list(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.api.list_each(options, each).await
    }

    async fn watch(&self, options: &ListOptions) -> Result<EventStream, Error> {
        Ok(self.api.watch_encoded(options).await?.boxed())
    }

    fn describe(&self) -> String {
        self.about.clone()
    }
}

fn describe(resource: &Gvr, namespace: &str) -> String {
    let resource = match &*resource.group {
        "" => resource.resource.to_string(),
        group => format!("{}.{group}", resource.resource),
    };
    match namespace {
        "" => resource,
        namespace => format!("{resource} in namespace {namespace}"),
    }
}

/// Changes the options of every request: adds a selector, as a rule.
pub type TweakListOptions = Arc<dyn Fn(&mut ListOptions) + Send + Sync>;

/// A [`ListWatch`] with other options in every request.
pub struct Tweaked<L> {
    source: L,
    tweak: TweakListOptions,
}

impl<L: ListWatch> Tweaked<L> {
    /// Applies `tweak` to the options of every request to `source`.
    pub fn new(source: L, tweak: TweakListOptions) -> Self {
        Self { source, tweak }
    }

    fn tweaked(&self, options: &ListOptions) -> ListOptions {
        let mut options = options.clone();
        (self.tweak)(&mut options);
        options
    }
}

#[async_trait]
impl<L: ListWatch> ListWatch for Tweaked<L> {
    async fn list(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.source.list(&self.tweaked(options), each).await
    }

    async fn watch(&self, options: &ListOptions) -> Result<EventStream, Error> {
        self.source.watch(&self.tweaked(options)).await
    }

    /// Names what is selected, as there can be several informers of a type.
    fn describe(&self) -> String {
        let mut about = self.source.describe();
        let options = self.tweaked(&ListOptions::default());
        if let Some(labels) = options.label_selector {
            about.push_str(&format!(" with labels {labels}"));
        }
        if let Some(fields) = options.field_selector {
            about.push_str(&format!(" with fields {fields}"));
        }
        about
    }
}

impl<L> fmt::Debug for Tweaked<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tweaked").finish_non_exhaustive()
    }
}
