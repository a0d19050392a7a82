//! Keeps a store equal to a collection of the API server.
//!
//! The contract. Each sentence has a number, by which the test names it that proves it.
//! - **R1** A reflector lists the collection, replaces the store's content with the answer, and then watches for
//!   changes from the version of the list on. **R2** It runs until it is stopped; whatever goes wrong is reported and
//!   tried again.
//! - **R3** The first list may come from the server's cache (version `0`); later ones are never older than what the
//!   store has had. **R4** Lists are paged; where a page's token has expired, the whole list is read at once.
//! - **R5** The list comes as the first events of the watch, unless that is not wanted
//!   ([`streaming_list`](ReflectorOptions)). **R6** A server that refuses that, or shows by what it sends or by five
//!   seconds of silence that it does not know of it, is asked for a plain list, also later on; so is one that has cut off
//!   such a stream three times in a row.
//! - **R7** A watch goes on where the last one ended, without a list, as long as the server still has that version.
//!   **R8** Bookmarks keep the version fresh. **R9** Where it has expired (410), or is ahead of the server, the
//!   collection is listed anew.
//! - **R10** A watch that ends before its time may be the end of the server's state, so one object is listed before the
//!   next watch. **R11** Only a server that shows an object we know, at no older version, has the history we know; any
//!   other is listed anew. **R12** A watch of which nothing comes, not even its end, is given up.
//! - **R13** Between tries it waits, longer each time up to a cap, spread at random, and never less than the server asks
//!   for (`Retry-After`).
//! - **R14** An object without metadata is reported and passed over. **R15** One that its type cannot hold is reported
//!   by name when it arrives, and kept as it came: its metadata can be read. **R16** The stream lives on in both cases.
//! - **R17** Nobody ever sees a part of a list, however it broke off.

mod decoding;
mod error;
mod list;
mod list_watch;
mod options;
mod reconnect;
mod stats;
mod streaming_list;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kubewire_client::backoff::{Backoff, ExponentialBackoff};
use kubewire_client::wire::{EncodedObject, Encoding, ObjectHeader, StructureChecker, WireError};
use kubewire_client::{Decode, Error, ResourceVersion};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use error::ReflectorError;
pub use list_watch::{EventStream, ListWatch, MetadataSource, TweakListOptions, Tweaked};
pub use options::{ErrorHandler, ReflectorOptions, Transform};
pub use stats::ReflectorStats;

use self::decoding::Decoding;
use crate::cache::{CacheFormat, CachedObject, DecodeError, EntryOptions, Indexer};

/// What a reflector fills.
pub trait ReflectorStore<K: Decode>: Send + Sync {
    /// The watch reported an object as new.
    fn add(&self, object: CachedObject<K>);
    /// The watch reported a change.
    fn update(&self, object: CachedObject<K>);
    /// The watch reported a deletion; the object is its final state.
    fn delete(&self, object: CachedObject<K>);
    /// A list said that these are all the objects there are.
    fn replace(&self, objects: Vec<CachedObject<K>>);
    /// True where the store has this very object (the same uid), at whatever version.
    fn has(&self, object: &ObjectHeader) -> bool;
    /// Everything up to this version has been handed over.
    fn reached(&self, version: &ResourceVersion) {
        let _ = version;
    }
}

impl<K: Decode> ReflectorStore<K> for Indexer<K> {
    fn add(&self, object: CachedObject<K>) {
        self.insert(object);
    }

    fn update(&self, object: CachedObject<K>) {
        self.insert(object);
    }

    fn delete(&self, object: CachedObject<K>) {
        self.remove(&object.key());
    }

    fn replace(&self, objects: Vec<CachedObject<K>>) {
        Indexer::replace(self, objects);
    }

    fn has(&self, object: &ObjectHeader) -> bool {
        self.get(&object.key()).is_some_and(|known| known.uid() == object.uid)
    }
}

/// Keeps a store equal to a collection of the API server; see the [module](self).
pub struct Reflector<K: Decode, S> {
    source: Arc<dyn ListWatch>,
    store: Arc<S>,
    options: ReflectorOptions,
    stats: Mutex<ReflectorStats>,
    context: K::Context,
}

impl<K: Decode, S: ReflectorStore<K>> Reflector<K, S> {
    /// A reflector from `source` to `store`; does nothing before [`run`](Reflector::run).
    pub fn new(source: Arc<dyn ListWatch>, store: Arc<S>, context: K::Context, options: ReflectorOptions) -> Self {
        Self {
            source,
            store,
            options,
            stats: Mutex::default(),
            context,
        }
    }

    /// Works until `stop` is cancelled. Cancel safe: dropping the future closes its requests.
    pub async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(Session::new(self).run()).await;
    }

    /// What it has done so far, and how it stands.
    pub fn stats(&self) -> ReflectorStats {
        self.stats.lock().clone()
    }

    /// What is reflected, for messages.
    pub fn describe(&self) -> String {
        self.source.describe()
    }
}

impl<K: Decode, S> fmt::Debug for Reflector<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reflector")
            .field("source", &self.source.describe())
            .finish_non_exhaustive()
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Read the whole collection and replace the store's content.
    List,
    /// The same by a list, although a stream of it may be wanted.
    PlainList,
    /// Follow the changes from the last version on.
    Watch,
    /// The watch ended before its time: see whether the server is still the one we know, before watching on.
    Reconnect,
}

/// A reflector at work.
struct Session<'a, K: Decode, S> {
    reflector: &'a Reflector<K, S>,
    backoff: ExponentialBackoff,
    /// The version that the store's content has reached; unset before the first list.
    last_version: ResourceVersion,
    /// The server does not have `last_version`, so the next list must ask for the newest state.
    version_unavailable: bool,
    /// The server pages lists of version `0`: it has no watch cache to answer from.
    pages_from_storage: bool,
    /// Lists are wanted as streams, and the server can do it as far as we know.
    streaming_list: bool,
    /// So many streams of the list in a row were cut off.
    streams_cut_off: u32,
    /// What checks objects on arrival, where they may come as protobuf.
    checker: Option<StructureChecker>,
    #[cfg(feature = "zstd")]
    packer: crate::cache::Packer,
}

impl<'a, K: Decode, S: ReflectorStore<K>> Session<'a, K, S> {
    fn new(reflector: &'a Reflector<K, S>) -> Self {
        Self {
            reflector,
            backoff: ExponentialBackoff::new(reflector.options.backoff),
            last_version: reflector.options.not_older_than.clone(),
            version_unavailable: false,
            pages_from_storage: false,
            streaming_list: reflector.options.streaming_list,
            streams_cut_off: 0,
            checker: K::schema(&reflector.context).map(StructureChecker::new),
            #[cfg(feature = "zstd")]
            packer: crate::cache::Packer::new(),
        }
    }

    async fn run(mut self) {
        let mut state = State::List;
        loop {
            state = match state {
                State::List if self.streaming_list => self.streaming_list_state().await,
                State::List | State::PlainList => self.list_state().await,
                State::Watch => self.watch_state().await,
                State::Reconnect => self.reconnect_state().await,
            };
        }
    }

    /// Reports a failed request and waits before the next try.
    async fn fail(&mut self, error: Error) {
        let retry_after = error.retry_after();
        self.report(error.into());
        self.wait(retry_after).await;
    }

    async fn wait(&mut self, retry_after: Option<Duration>) {
        // A policy that gives up makes no sense here: its cap goes on.
        let delay = self.backoff.next_delay_after(retry_after);
        tokio::time::sleep(delay.unwrap_or(self.reflector.options.backoff.max)).await;
    }

    fn report(&self, error: ReflectorError) {
        (self.reflector.options.on_error)(&error);
        self.count(|stats| {
            stats.errors += 1;
            stats.last_error = Some(Arc::new(error));
        });
    }

    fn count(&self, count: impl FnOnce(&mut ReflectorStats)) {
        count(&mut self.reflector.stats.lock());
    }

    /// The store has everything up to this version.
    fn reached(&mut self, version: ResourceVersion) {
        if version.is_unset() {
            return;
        }
        self.reflector.store.reached(&version);
        self.count(|stats| {
            stats.last_resource_version = version.clone();
            stats.last_event = Some(Instant::now());
        });
        self.last_version = version;
    }

    /// Makes an entry of an object; one that cannot be read is reported.
    fn entry(&mut self, encoded: &EncodedObject) -> Option<CachedObject<K>> {
        let object = self.encoded_entry(encoded)?;
        if self.reflector.options.cache_format == CacheFormat::Decoded
            && let Err(error) = object.decode()
        {
            self.undecodable(error);
        }
        Some(object)
    }

    /// Makes an entry of an object of a list, which may be decoded later.
    fn entry_of_list(&mut self, encoded: &EncodedObject, decoding: &mut Decoding<K>) -> Option<CachedObject<K>> {
        let object = self.encoded_entry(encoded)?;
        if self.reflector.options.cache_format == CacheFormat::Decoded {
            decoding.push(object.clone());
        }
        Some(object)
    }

    /// Makes an entry that is not decoded yet. One that its type cannot hold is kept as it came: its metadata is of use,
    /// and it has to be deleted one day.
    fn encoded_entry(&mut self, encoded: &EncodedObject) -> Option<CachedObject<K>> {
        let reflector = self.reflector;
        let options = &reflector.options;
        let transformed = options.transform.as_ref().map(|transform| transform(encoded));
        let (encoded, refused) = match &transformed {
            None => (encoded, None),
            Some(Ok(transformed)) => (transformed, None),
            Some(Err(error)) => (encoded, Some(error)),
        };
        let decoded = options.cache_format == CacheFormat::Decoded;
        let entry = EntryOptions {
            format: if decoded {
                CacheFormat::Lazy
            } else {
                options.cache_format
            },
            managed_fields: options.managed_fields,
        };
        let object = match CachedObject::new(encoded, &reflector.context, entry) {
            Ok(object) => object,
            Err(error) => {
                self.no_object(encoded, error.to_string());
                return None;
            }
        };
        #[cfg(feature = "zstd")]
        if options.cache_format == CacheFormat::Compressed {
            object.pack(&self.packer);
        }
        let fault = match refused {
            // Where it is decoded on arrival, that says what is wrong with it, as a rule.
            Some(error) if !decoded || object.decode().is_ok() => Some(error.to_string()),
            None if !decoded => self.fault(encoded).map(|error| error.to_string()),
            _ => None,
        };
        if let Some(reason) = fault {
            self.would_not_decode(&object, reason);
        }
        Some(object)
    }

    /// Why an object would not decode when somebody looks inside. That is seen from the structure of a message; a text
    /// has to be decoded for it.
    fn fault(&mut self, encoded: &EncodedObject) -> Option<WireError> {
        match (encoded.encoding, &mut self.checker) {
            (Encoding::Protobuf, Some(checker)) => checker.check(&encoded.bytes).err(),
            (Encoding::Json, _) if !K::HOLDS_ANY_JSON => K::decode_in(encoded, &self.reflector.context).err(),
            _ => None,
        }
    }

    fn undecodable(&self, error: DecodeError) {
        self.count(|stats| stats.undecodable += 1);
        self.report(error.into());
    }

    fn would_not_decode(&self, object: &CachedObject<K>, reason: String) {
        let (resource, key) = (self.reflector.describe(), object.key().to_string());
        self.count(|stats| stats.undecodable += 1);
        self.report(ReflectorError::Undecodable { resource, key, reason });
    }

    fn no_object(&self, encoded: &EncodedObject, reason: String) {
        let (resource, key) = (self.reflector.describe(), name_of(encoded));
        self.count(|stats| stats.undecodable += 1);
        self.report(ReflectorError::NoObject { resource, key, reason });
    }
}

/// An object's key, as far as it can be read.
fn name_of(encoded: &EncodedObject) -> String {
    let header = ObjectHeader::parse(encoded);
    header.map_or_else(
        |_| format!("of {} bytes without metadata", encoded.bytes.len()),
        |header| header.key().to_string(),
    )
}
