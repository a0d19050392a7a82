//! Watch streams: one event after the other, as length-delimited protobuf frames or as lines of JSON.

use bytes::{Buf, Bytes};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pending::Pending;
use super::{EncodedObject, Encoding, Envelope, ObjectHeader, Reader, Value, WireError};
use crate::resource::ResourceVersion;

/// The largest event that is accepted: well above what etcd can store.
const MAX_FRAME: usize = 64 << 20;
/// The annotation of the bookmark that ends the initial events of a streaming list (KEP-3157).
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// One event of a watch; the object is still encoded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EncodedEvent {
    /// An object came into being, or into the selection.
    Added(EncodedObject),
    /// An object changed.
    Modified(EncodedObject),
    /// An object went away, or out of the selection; its last state.
    Deleted(EncodedObject),
    /// Nothing happened up to this version (KEP-956).
    Bookmark {
        /// The version to resume from.
        resource_version: ResourceVersion,
        /// True for the bookmark behind the initial events of a streaming list.
        initial_events_end: bool,
    },
    /// The server ends the watch for this reason: an encoded `Status`.
    Error(EncodedObject),
}

/// Cuts a watch stream into events, however its bytes were cut into chunks.
///
/// ```
/// use kubewire_client::wire::{EncodedEvent, Encoding, WatchDecoder};
/// let mut decoder = WatchDecoder::new(Encoding::Json);
/// decoder.push(br#"{"type":"ADDED","object":{"metadata":{"na"#.as_slice().into());
/// assert!(decoder.next_event()?.is_none());
/// decoder.push(b"me\":\"a\"}}}\n".as_slice().into());
/// assert!(matches!(decoder.next_event()?, Some(EncodedEvent::Added(_))));
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct WatchDecoder {
    encoding: Encoding,
    /// Received and not yet cut.
    pending: Pending,
}

impl WatchDecoder {
    /// A decoder for a stream in the given encoding.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            pending: Pending::default(),
        }
    }

    /// Adds received bytes.
    pub fn push(&mut self, chunk: Bytes) {
        self.pending.push(chunk);
    }

    /// The next whole event, or `None` where more bytes are needed.
    pub fn next_event(&mut self) -> Result<Option<EncodedEvent>, WireError> {
        let frame = match self.encoding {
            Encoding::Protobuf => self.next_frame()?,
            Encoding::Json => self.next_line()?,
        };
        match (frame, self.encoding) {
            (None, _) => Ok(None),
            (Some(frame), Encoding::Protobuf) => protobuf_event(&frame).map(Some),
            (Some(line), Encoding::Json) => json_event(&line).map(Some),
        }
    }

    /// Fails where the stream ended inside an event.
    pub fn finish(&self) -> Result<(), WireError> {
        let rest = self.pending.as_slice();
        if rest.iter().all(u8::is_ascii_whitespace) {
            Ok(())
        } else {
            Err(WireError::Truncated { offset: 0 })
        }
    }

    fn next_frame(&mut self) -> Result<Option<Bytes>, WireError> {
        let pending = self.pending.as_slice();
        let Some(length) = pending.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_FRAME {
            return Err(WireError::Invalid {
                offset: 0,
                reason: "watch frame larger than 64 MiB",
            });
        }
        if pending.len() < 4 + length {
            self.pending.want(4 + length);
            return Ok(None);
        }
        let mut frame = self.pending.take(4 + length);
        frame.advance(4);
        Ok(Some(frame))
    }

    fn next_line(&mut self) -> Result<Option<Bytes>, WireError> {
        loop {
            let pending = self.pending.as_slice();
            let Some(end) = pending.iter().position(|byte| *byte == b'\n') else {
                if pending.len() > MAX_FRAME {
                    return Err(WireError::Invalid {
                        offset: 0,
                        reason: "watch event larger than 64 MiB",
                    });
                }
                return Ok(None);
            };
            let line = self.pending.take(end + 1);
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(line));
            }
        }
    }
}

/// A `WatchEvent` message: type=1, object=2, a `RawExtension` whose raw=1 holds a whole envelope.
fn protobuf_event(frame: &Bytes) -> Result<EncodedEvent, WireError> {
    let (mut event_type, mut extension) = (&b""[..], &b""[..]);
    let mut reader = Reader::new(frame);
    while let Some(field) = reader.next_field()? {
        match (field.number, field.value) {
            (1, Value::Bytes(text)) => event_type = text,
            (2, Value::Bytes(raw)) => extension = raw,
            _ => {}
        }
    }
    let mut object = Bytes::new();
    let mut reader = Reader::new(extension);
    while let Some(field) = reader.next_field()? {
        if let (1, Value::Bytes(raw)) = (field.number, field.value) {
            object = frame.slice_ref(raw);
        }
    }
    event(&String::from_utf8_lossy(event_type), Envelope::decode(&object)?.object)
}

fn json_event(line: &Bytes) -> Result<EncodedEvent, WireError> {
    #[derive(Deserialize)]
    struct WatchEvent<'a> {
        #[serde(rename = "type")]
        event_type: String,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    let watch_event: WatchEvent<'_> = serde_json::from_slice(line)?;
    let bytes = line.slice_ref(watch_event.object.get().as_bytes());
    event(
        &watch_event.event_type,
        EncodedObject {
            encoding: Encoding::Json,
            bytes,
        },
    )
}

fn event(event_type: &str, object: EncodedObject) -> Result<EncodedEvent, WireError> {
    match event_type {
        "ADDED" => Ok(EncodedEvent::Added(object)),
        "MODIFIED" => Ok(EncodedEvent::Modified(object)),
        "DELETED" => Ok(EncodedEvent::Deleted(object)),
        "BOOKMARK" => {
            let header = ObjectHeader::parse(&object)?;
            let initial_events_end = header.annotation(INITIAL_EVENTS_END) == Some("true");
            Ok(EncodedEvent::Bookmark {
                resource_version: header.resource_version,
                initial_events_end,
            })
        }
        "ERROR" => Ok(EncodedEvent::Error(object)),
        other => Err(WireError::Value {
            path: "type".to_owned(),
            reason: format!("unknown watch event type {other:?}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ReverseWriter, envelope};
    use super::*;
    use proptest::prelude::*;

    fn frame(event_type: &str, object: &[u8]) -> Vec<u8> {
        let object = EncodedObject {
            encoding: Encoding::Protobuf,
            bytes: Bytes::copy_from_slice(object),
        };
        let mut writer = ReverseWriter::new();
        let before = writer.len();
        writer.bytes_field(1, &envelope::encode("v1", "ConfigMap", &object));
        writer.close_message(2, before);
        writer.bytes_field(1, event_type.as_bytes());
        [(writer.len() as u32).to_be_bytes().as_slice(), writer.as_slice()].concat()
    }

    #[test]
    fn reads_the_bookmark_of_a_real_server() {
        let bytes = b"\x00\x00\x00\x61\x0a\x08BOOKMARK\x12\x55\x0a\x53k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x38\x0a\x36\
            \x0a\x00\x12\x00\x1a\x00\x22\x00\x2a\x00\x32\x03520\x38\x00\x42\x00\x62\x21\x0a\x19k8s.io/initial-events-end\x12\x04true\x1a\x00\x22\x00";
        let mut decoder = WatchDecoder::new(Encoding::Protobuf);
        decoder.push(Bytes::from_static(bytes));
        let event = decoder.next_event().unwrap().unwrap();
        assert_eq!(
            event,
            EncodedEvent::Bookmark {
                resource_version: "520".into(),
                initial_events_end: true
            }
        );
        assert!(decoder.next_event().unwrap().is_none());
        decoder.finish().unwrap();
    }

    #[test]
    fn refuses_unknown_types_and_huge_frames() {
        let mut decoder = WatchDecoder::new(Encoding::Protobuf);
        decoder.push(frame("EXPLODED", b"").into());
        assert!(decoder.next_event().unwrap_err().to_string().contains("EXPLODED"));
        let mut decoder = WatchDecoder::new(Encoding::Protobuf);
        decoder.push(Bytes::from_static(&[0xff; 4]));
        assert!(decoder.next_event().is_err());
    }

    #[test]
    fn an_end_inside_an_event_is_an_error() {
        let whole = frame("ADDED", b"");
        let mut decoder = WatchDecoder::new(Encoding::Protobuf);
        decoder.push(Bytes::copy_from_slice(&whole[..whole.len() - 1]));
        assert!(decoder.next_event().unwrap().is_none());
        assert!(decoder.finish().is_err());
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(
            objects in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..10),
            cuts in proptest::collection::vec(1..40usize, 1..60),
        ) {
            let stream: Vec<u8> = objects.iter().flat_map(|object| frame("MODIFIED", object)).collect();
            let mut decoder = WatchDecoder::new(Encoding::Protobuf);
            let (mut rest, mut cuts, mut seen) = (stream.as_slice(), cuts.iter().cycle(), Vec::new());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                rest = after;
                decoder.push(Bytes::copy_from_slice(chunk));
                while let Some(event) = decoder.next_event().unwrap() {
                    let EncodedEvent::Modified(object) = event else { panic!("{event:?}") };
                    seen.push(object.bytes.to_vec());
                }
            }
            decoder.finish().unwrap();
            prop_assert_eq!(seen, objects);
        }

        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..200), json: bool) {
            let mut decoder = WatchDecoder::new(if json { Encoding::Json } else { Encoding::Protobuf });
            decoder.push(input.into());
            while let Ok(Some(_)) = decoder.next_event() {}
        }
    }
}
