//! Reading the whole collection as events of a watch, which then goes on as the watch (KEP-3157).

use std::hash::RandomState;

use hashbrown::HashSet;
use kubewire_client::api::VersionMatch;
use kubewire_client::wire::EncodedEvent;
use kubewire_client::{Decode, ListOptions};
use tokio::time::Instant;

use super::list::Listed;
use super::watch::{End, Watch};
use super::{ReflectorStore, Session, State};
use crate::cache::ByKey;

impl<K: Decode, S: ReflectorStore<K>> Session<'_, K, S> {
    pub(super) async fn streaming_list_state(&mut self) -> State {
        let started = Instant::now();
        let options = ListOptions::default()
            .with_resource_version(self.version_to_list())
            .with_version_match(VersionMatch::NotOlderThan)
            .with_initial_events(true);
        let begun = self.begin_watch(options).await;
        let streamed = match begun {
            Ok(watch) => self.initial_events(watch).await,
            Err(end) => Err(end),
        };
        match streamed {
            Ok((listed, watch)) => {
                let from = listed.version.clone();
                self.listed(listed, started);
                let end = self.follow(watch, &from).await;
                self.after_watch(end).await
            }
            Err(end) => {
                self.streaming_list_failed(end).await;
                State::List
            }
        }
    }

    /// Everything up to the bookmark that ends the initial state.
    async fn initial_events(&mut self, mut watch: Watch) -> Result<(Listed<K>, Watch), End> {
        let mut objects = HashSet::<ByKey<K>, RandomState>::default();
        loop {
            let event = watch.next().await.ok_or(End::Untimely { useful: false })?;
            match event.map_err(End::Failed)? {
                EncodedEvent::Added(object) | EncodedEvent::Modified(object) => {
                    if let Some(object) = self.entry(&object) {
                        objects.replace(ByKey(object));
                    }
                }
                EncodedEvent::Deleted(object) => {
                    if let Some(object) = self.entry(&object) {
                        objects.remove(&ByKey(object));
                    }
                }
                EncodedEvent::Bookmark {
                    resource_version: version,
                    initial_events_end: true,
                } => {
                    let objects = objects.into_iter().map(|object| object.0).collect();
                    return Ok((Listed { objects, version }, watch));
                }
                _ => {}
            }
        }
    }

    /// Where the server is there and yet does not stream the list, it is asked for plain lists from now on.
    async fn streaming_list_failed(&mut self, end: End) {
        match end {
            End::Failed(error) if error.is_expired() || error.is_too_large_resource_version() => {
                self.version_unavailable = true;
                self.wait(error.retry_after()).await;
            }
            End::Failed(error) if error.is_transport() || error.is_too_many_requests() => self.fail(error).await,
            End::Failed(error) => {
                self.streaming_list = false;
                self.report(error.into());
            }
            End::InTime | End::Untimely { .. } | End::WentBack => {
                tracing::debug!(
                    of = self.reflector.describe(),
                    "the server does not stream lists, asking for plain ones"
                );
                self.streaming_list = false;
            }
        }
    }
}
