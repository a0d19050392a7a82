//! Reading the whole collection.

use kubewire_client::{Decode, Error, ListOptions, ResourceVersion};
use tokio::time::Instant;

use super::decoding::Decoding;
use super::{ReflectorStore, Session, State};
use crate::cache::CachedObject;

/// A whole collection at one version.
pub(super) struct Listed<K: Decode> {
    pub(super) objects: Vec<CachedObject<K>>,
    pub(super) version: ResourceVersion,
}

impl<K: Decode, S: ReflectorStore<K>> Session<'_, K, S> {
    pub(super) async fn list_state(&mut self) -> State {
        let started = Instant::now();
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(error) => {
                self.fail(error).await;
                return State::List;
            }
        };
        self.listed(listed, started);
        State::Watch
    }

    /// Hands a list to the store.
    pub(super) fn listed(&mut self, listed: Listed<K>, started: Instant) {
        self.version_unavailable = false;
        let count = listed.objects.len();
        self.reflector.store.replace(listed.objects);
        self.reached(listed.version);
        let metrics = &self.reflector.options.metrics;
        metrics.listed(&self.reflector.describe(), count, started.elapsed());
        self.count(|stats| {
            stats.lists += 1;
            stats.last_list_duration = started.elapsed();
            stats.last_error = None;
        });
    }

    async fn list(&mut self) -> Result<Listed<K>, Error> {
        let version = self.version_to_list();
        match self.list_pages(&version).await {
            // The server no longer has that version, or not yet: its newest state will do.
            Err(error) if !version.is_unset() && (error.is_expired() || error.is_too_large_resource_version()) => {
                self.version_unavailable = true;
                self.list_pages(&ResourceVersion::default()).await
            }
            listed => listed,
        }
    }

    /// Not older than what the store has had, so that it never goes back in time; at first, whatever the server has at
    /// hand.
    pub(super) fn version_to_list(&self) -> ResourceVersion {
        if self.version_unavailable {
            ResourceVersion::default()
        } else if self.last_version.is_unset() {
            ResourceVersion::any()
        } else {
            self.last_version.clone()
        }
    }

    async fn list_pages(&mut self, version: &ResourceVersion) -> Result<Listed<K>, Error> {
        let from_cache = *version == ResourceVersion::any();
        let whole = ListOptions::default().with_resource_version(version.clone());
        let mut options = whole.clone();
        // A limit would take a list of a given version past the server's cache to its storage.
        if from_cache || version.is_unset() || self.pages_from_storage {
            options.limit = Some(self.reflector.options.page_size).filter(|size| *size > 0);
        }
        let mut objects = Vec::new();
        let mut decoding = Decoding::new();
        let mut list_version = None;
        loop {
            let source = &self.reflector.source;
            let mut each = |object| objects.extend(self.entry_of_list(&object, &mut decoding));
            let page = match source.list(&options, &mut each).await {
                Err(error) if error.is_expired() && options.continue_token.is_some() => {
                    objects.clear();
                    decoding = Decoding::new();
                    list_version = None;
                    options = whole.clone();
                    continue;
                }
                page => page?,
            };
            self.count(|stats| stats.pages += 1);
            let version = list_version.get_or_insert(page.resource_version);
            let Some(token) = page.continue_token else {
                let version = version.clone();
                let errors = decoding.finish().await;
                errors.into_iter().for_each(|error| self.undecodable(error));
                return Ok(Listed { objects, version });
            };
            self.pages_from_storage |= from_cache;
            options.continue_token = Some(token);
            options.resource_version = None;
        }
    }
}
