//! The last events of a resource as they go over the wire: encoded once, sent to every watcher.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;

use super::negotiation::Format;
use crate::status::ApiError;

/// How many events are kept. Watchers that keep up ask for the same few.
const KEPT: usize = 32;

/// The version of the object, the type of the event and the format.
type Key = (u64, &'static str, Format);

/// The last events that were encoded.
#[derive(Debug, Default)]
pub(crate) struct EventFrames(Mutex<VecDeque<(Key, Bytes)>>);

impl EventFrames {
    /// An encoded event, out of the last ones or made.
    pub(super) fn get(&self, key: Key, encode: impl FnOnce() -> Result<Bytes, ApiError>) -> Result<Bytes, ApiError> {
        let find = |frames: &VecDeque<(Key, Bytes)>| {
            let found = frames.iter().rev().find(|(known, _)| *known == key);
            found.map(|(_, bytes)| bytes.clone())
        };
        if let Some(bytes) = find(&self.0.lock()) {
            return Ok(bytes);
        }
        let bytes = encode()?;
        let mut frames = self.0.lock();
        if frames.len() == KEPT {
            frames.pop_front();
        }
        frames.push_back((key, bytes.clone()));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_once_and_forgets_the_oldest() {
        let frames = EventFrames::default();
        let mut encoded = 0;
        let mut get = |version: u64| {
            let encode = || {
                encoded += 1;
                Ok(Bytes::from(version.to_string()))
            };
            assert_eq!(
                frames.get((version, "ADDED", Format::Json), encode).unwrap(),
                version.to_string()
            );
        };
        (0..100).for_each(|_| get(1));
        (2..=KEPT as u64).for_each(&mut get);
        get(1);
        get(KEPT as u64 + 1);
        get(1);
        assert_eq!(encoded, KEPT + 2);
        assert_eq!(frames.0.lock().len(), KEPT);
    }
}
