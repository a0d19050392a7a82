//! Reading the whole collection as events of a watch, which then goes on as the watch (KEP-3157).

use std::hash::RandomState;
use std::time::Duration;

use hashbrown::HashSet;
use kubewire_client::api::VersionMatch;
use kubewire_client::wire::EncodedEvent;
use kubewire_client::{Decode, Error, ListOptions};
use tokio::time::{Instant, timeout_at};

use super::decoding::Decoding;
use super::list::Listed;
use super::watch::{End, Watch};
use super::{ReflectorStore, Session, State};
use crate::cache::ByKey;

/// How long a server may be without a further object of the initial state. One that does not know of streaming lists
/// takes the request for any other watch, and never says that the state is complete.
const SILENCE: Duration = Duration::from_secs(5);
/// After so many streams in a row that were cut off within the initial state, plain lists are asked for.
const MAX_CUT_OFF: u32 = 3;

/// Why a stream brought no whole list.
enum Failure {
    /// The request, or the stream, failed with an error of the server.
    Refused(Error),
    /// The server cannot be reached.
    Unreachable(Error),
    /// The stream had begun, and then broke off.
    CutOff,
    /// The server does not do what it was asked for.
    NotKnown,
}

impl<K: Decode, S: ReflectorStore<K>> Session<'_, K, S> {
    pub(super) async fn streaming_list_state(&mut self) -> State {
        let started = Instant::now();
        let options = ListOptions::default()
            .with_resource_version(self.version_to_list())
            .with_version_match(VersionMatch::NotOlderThan)
            .with_initial_events(true);
        let streamed = match self.begin_watch(options).await {
            Ok(watch) => self.initial_events(watch).await,
            Err(End::Failed(error)) if error.is_transport() => Err(Failure::Unreachable(error)),
            Err(End::Failed(error)) => Err(Failure::Refused(error)),
            Err(_) => Err(Failure::CutOff),
        };
        match streamed {
            Ok((listed, watch)) => {
                self.streams_cut_off = 0;
                let from = listed.version.clone();
                self.listed(listed, started);
                let end = self.follow(watch, &from).await;
                self.after_watch(end).await
            }
            Err(failure) => self.streaming_list_failed(failure).await,
        }
    }

    /// Everything up to the bookmark that ends the initial state.
    async fn initial_events(&mut self, mut watch: Watch) -> Result<(Listed<K>, Watch), Failure> {
        let mut objects = HashSet::<ByKey<K>, RandomState>::default();
        let mut decoding = Decoding::new();
        let mut deadline = Instant::now() + SILENCE;
        let mut changing = false;
        loop {
            let event = timeout_at(deadline, watch.next()).await;
            let event = event.map_err(|_| Failure::NotKnown)?;
            let event = match event {
                Some(Ok(event)) => event,
                Some(Err(error)) if error.status().is_some() => return Err(Failure::Refused(error)),
                Some(Err(_)) | None => return Err(Failure::CutOff),
            };
            match event {
                EncodedEvent::Added(object) => {
                    if let Some(object) = self.entry_of_list(&object, &mut decoding) {
                        changing |= objects.replace(ByKey(object)).is_some();
                    }
                }
                EncodedEvent::Modified(object) => {
                    changing = true;
                    if let Some(object) = self.entry_of_list(&object, &mut decoding) {
                        objects.replace(ByKey(object));
                    }
                }
                EncodedEvent::Deleted(object) => {
                    changing = true;
                    if let Some(object) = self.entry(&object) {
                        objects.remove(&ByKey(object));
                    }
                }
                EncodedEvent::Bookmark {
                    resource_version: version,
                    initial_events_end: true,
                } => {
                    let errors = decoding.finish().await;
                    errors.into_iter().for_each(|error| self.undecodable(error));
                    let objects = objects.into_iter().map(|object| object.0).collect();
                    return Ok((Listed { objects, version }, watch));
                }
                // The first bookmark of a server that knows what it was asked for is the one above.
                EncodedEvent::Bookmark { .. } => return Err(Failure::NotKnown),
                _ => {}
            }
            // What changes comes after the initial state, whose end is due then.
            if !changing {
                deadline = Instant::now() + SILENCE;
            }
        }
    }

    async fn streaming_list_failed(&mut self, failure: Failure) -> State {
        match failure {
            Failure::Unreachable(error) => self.fail(error).await,
            Failure::Refused(error) if error.is_too_many_requests() => self.fail(error).await,
            Failure::Refused(error) if error.is_expired() || error.is_too_large_resource_version() => {
                self.version_unavailable = true;
                self.wait(error.retry_after()).await;
            }
            Failure::Refused(error) => {
                tracing::debug!(of = self.reflector.describe(), %error, "no streaming list");
                // Whatever else is wrong, the plain list will have it too.
                self.streaming_list &= !is_unknown(&error);
                return State::PlainList;
            }
            Failure::CutOff => {
                self.streams_cut_off += 1;
                self.streaming_list &= self.streams_cut_off < MAX_CUT_OFF;
                self.wait(None).await;
            }
            Failure::NotKnown => self.streaming_list = false,
        }
        if !self.streaming_list {
            tracing::debug!(
                of = self.reflector.describe(),
                "the server does not stream lists, asking for plain ones"
            );
        }
        State::List
    }
}

/// True where the server cannot do what it was asked for, today or later.
fn is_unknown(error: &Error) -> bool {
    let code = error.status().and_then(|status| status.code);
    matches!(code, Some(400 | 405 | 406 | 415 | 422 | 501))
}
