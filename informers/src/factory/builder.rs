//! The settings of a factory.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kubewire_client::dynamic::ApiResource;
use kubewire_client::{Clientset, Decode, Gvr, ListOptions, Object};
use parking_lot::Mutex;

use super::{Scope, Shared, SharedInformerFactory};
use crate::reflector::{ReflectorOptions, TweakListOptions};
use crate::shared_informer::InformerOptions;

pub(super) struct Settings {
    /// Of informers that ask for no other.
    pub(super) scope: Scope,
    tweak: Option<TweakListOptions>,
    informer: InformerOptions,
    /// What is other for the informers of one resource, decoded in one way.
    custom: HashMap<(TypeId, Gvr), Vec<Customise>>,
}

type Customise = Box<dyn Fn(InformerOptions) -> InformerOptions + Send + Sync>;

impl Settings {
    pub(super) fn options_for<K: Decode>(&self, resource: &Gvr) -> InformerOptions {
        let custom = self.custom.get(&(TypeId::of::<K>(), resource.clone()));
        let custom = custom.into_iter().flatten();
        custom.fold(self.informer.clone(), |options, customise| customise(options))
    }

    pub(super) fn tweak(&self, scope: &Scope) -> Option<TweakListOptions> {
        if scope.labels.is_none() && scope.fields.is_none() {
            return self.tweak.clone();
        }
        let (scope, tweak) = (scope.clone(), self.tweak.clone());
        Some(Arc::new(move |options: &mut ListOptions| {
            scope.select(options);
            if let Some(tweak) = &tweak {
                tweak(options);
            }
        }))
    }
}

/// Makes a [`SharedInformerFactory`].
#[must_use]
pub struct SharedInformerFactoryBuilder {
    clientset: Clientset,
    settings: Settings,
}

impl SharedInformerFactoryBuilder {
    pub(super) fn new(clientset: Clientset) -> Self {
        Self {
            clientset,
            settings: Settings {
                scope: Scope::all(),
                tweak: None,
                informer: InformerOptions::default(),
                custom: HashMap::new(),
            },
        }
    }

    /// The resync period of every informer; zero for no resync. Default 10 minutes.
    pub fn default_resync(mut self, period: Duration) -> Self {
        self.settings.informer.resync = period;
        self
    }

    /// Changes the options of the informers of one type.
    pub fn custom_options<K: Object>(
        self,
        customise: impl Fn(InformerOptions) -> InformerOptions + Send + Sync + 'static,
    ) -> Self {
        self.customise::<K>(K::gvr(), Box::new(customise))
    }

    /// Changes the options of the informers of one resource without a type, or of its metadata: `K` is
    /// [`DynamicObject`](kubewire_client::dynamic::DynamicObject) or
    /// [`PartialObjectMetadata`](kubewire_client::metadata::PartialObjectMetadata).
    pub fn custom_options_of<K: Decode<Context = Arc<ApiResource>>>(
        self,
        resource: &ApiResource,
        customise: impl Fn(InformerOptions) -> InformerOptions + Send + Sync + 'static,
    ) -> Self {
        self.customise::<K>(resource.gvr.clone(), Box::new(customise))
    }

    /// The resync period of the informers of one type; zero for no resync.
    pub fn custom_resync<K: Object>(self, period: Duration) -> Self {
        self.custom_options::<K>(move |options| options.with_resync(period))
    }

    /// Changes every object of one type before it is kept; see [`ReflectorOptions::with_transform`].
    pub fn transform<K: Object>(self, transform: impl Fn(&mut K) + Clone + Send + Sync + 'static) -> Self {
        self.custom_options::<K>(move |mut options| {
            options.reflector = options.reflector.with_transform(transform.clone());
            options
        })
    }

    /// The namespace of informers that ask for no other. Default: all namespaces.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.settings.scope.namespace = namespace.into();
        self
    }

    /// Only objects whose labels fulfil this selector, such as `app=web`, unless an informer has a [`Scope`] of its own.
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.settings.scope.labels = Some(selector.into());
        self
    }

    /// Only objects whose fields fulfil this selector, such as `spec.nodeName=node-1`, unless an informer has a [`Scope`]
    /// of its own.
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        self.settings.scope.fields = Some(selector.into());
        self
    }

    /// Changes the options of every list and watch.
    pub fn tweak_list_options(mut self, tweak: impl Fn(&mut ListOptions) + Send + Sync + 'static) -> Self {
        self.settings.tweak = Some(Arc::new(tweak));
        self
    }

    /// How collections are listed and watched, and what is kept of objects.
    pub fn reflector(mut self, options: ReflectorOptions) -> Self {
        self.settings.informer.reflector = options;
        self
    }

    fn customise<K: Decode>(mut self, resource: Gvr, customise: Customise) -> Self {
        let custom = self.settings.custom.entry((TypeId::of::<K>(), resource)).or_default();
        custom.push(customise);
        self
    }

    /// The factory.
    pub fn build(self) -> SharedInformerFactory {
        SharedInformerFactory {
            shared: Arc::new(Shared {
                clientset: self.clientset,
                settings: self.settings,
                informers: Mutex::default(),
            }),
        }
    }
}

impl fmt::Debug for SharedInformerFactoryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedInformerFactoryBuilder")
            .field("scope", &self.settings.scope)
            .field("informer", &self.settings.informer)
            .finish_non_exhaustive()
    }
}
