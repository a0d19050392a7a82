//! The settings of a factory.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kubewire_client::{Clientset, ListOptions, Object};
use parking_lot::Mutex;

use super::{Shared, SharedInformerFactory};
use crate::reflector::{ReflectorOptions, TweakListOptions};
use crate::shared_informer::InformerOptions;

pub(super) struct Settings {
    pub(super) namespace: String,
    pub(super) tweak: Option<TweakListOptions>,
    informer: InformerOptions,
    custom_resync: HashMap<TypeId, Duration>,
}

impl Settings {
    pub(super) fn options_for<K: Object>(&self) -> InformerOptions {
        let mut options = self.informer.clone();
        if let Some(resync) = self.custom_resync.get(&TypeId::of::<K>()) {
            options.resync = *resync;
        }
        options
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
                namespace: String::new(),
                tweak: None,
                informer: InformerOptions::default(),
                custom_resync: HashMap::new(),
            },
        }
    }

    /// The resync period of every informer; zero for no resync. Default 10 minutes.
    pub fn default_resync(mut self, period: Duration) -> Self {
        self.settings.informer.resync = period;
        self
    }

    /// The resync period of the informers of one type; zero for no resync.
    pub fn custom_resync<K: Object>(mut self, period: Duration) -> Self {
        self.settings.custom_resync.insert(TypeId::of::<K>(), period);
        self
    }

    /// The namespace of informers that name none. Default: all namespaces.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.settings.namespace = namespace.into();
        self
    }

    /// Changes the options of every list and watch: adds a selector, as a rule.
    pub fn tweak_list_options(mut self, tweak: impl Fn(&mut ListOptions) + Send + Sync + 'static) -> Self {
        self.settings.tweak = Some(Arc::new(tweak));
        self
    }

    /// How collections are listed and watched.
    pub fn reflector(mut self, options: ReflectorOptions) -> Self {
        self.settings.informer.reflector = options;
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
            .field("namespace", &self.settings.namespace)
            .field("informer", &self.settings.informer)
            .finish_non_exhaustive()
    }
}
