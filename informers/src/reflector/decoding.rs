//! Decoding the objects of a list on all cores, while the list still comes in.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use kubewire_client::Decode;
use tokio::task::JoinSet;

use crate::cache::{CachedObject, DecodeError};

/// How many objects are decoded at a time: fewer are not worth a thread.
const CHUNK: usize = 128;

/// Decodes objects in place, in the background.
pub(super) struct Decoding<K: Decode> {
    waiting: Vec<CachedObject<K>>,
    running: JoinSet<Vec<DecodeError>>,
    most: usize,
    errors: Vec<DecodeError>,
}

impl<K: Decode> Decoding<K> {
    pub(super) fn new() -> Self {
        Self {
            waiting: Vec::new(),
            running: JoinSet::new(),
            most: available_parallelism().map_or(1, NonZeroUsize::get),
            errors: Vec::new(),
        }
    }

    /// Takes in an object, which has been decoded by when [`finish`](Decoding::finish) returns.
    pub(super) fn push(&mut self, object: CachedObject<K>) {
        self.waiting.push(object);
        if self.waiting.len() < CHUNK {
            return;
        }
        while let Some(errors) = self.running.try_join_next() {
            self.errors.extend(errors.unwrap_or_default());
        }
        if self.running.len() < self.most {
            let chunk = std::mem::take(&mut self.waiting);
            self.running.spawn_blocking(move || decode(&chunk));
        }
    }

    /// Waits until everything is decoded; what could not be has an error.
    pub(super) async fn finish(mut self) -> Vec<DecodeError> {
        while self.waiting.len() >= CHUNK {
            if self.running.len() >= self.most {
                self.join_next().await;
            }
            let chunk = self.waiting.split_off(self.waiting.len() - CHUNK);
            self.running.spawn_blocking(move || decode(&chunk));
        }
        self.errors.append(&mut decode(&self.waiting));
        while !self.running.is_empty() {
            self.join_next().await;
        }
        self.errors
    }

    async fn join_next(&mut self) {
        if let Some(Ok(errors)) = self.running.join_next().await {
            self.errors.extend(errors);
        }
    }
}

fn decode<K: Decode>(objects: &[CachedObject<K>]) -> Vec<DecodeError> {
    objects.iter().filter_map(|object| object.decode().err()).collect()
}
