//! A watch as the body of an answer: JSON lines or protobuf frames, in any view.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use hyper::body::{Body, Frame};
use kubewire_client::wire::{EncodedObject, Encoding, ReverseWriter, envelope, schema, transcode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::answer::{ListMeta, quote};
use super::event_frames::EventFrames;
use super::negotiation::{Accepted, Format, MetaVersion, View};
use super::table::{TableConvertor, partial_metadata, partial_metadata_value, partial_schema};
use crate::filters::body::until;
use crate::generic::metrics::WatchSeries;
use crate::generic::request::{BodyError, Response};
use crate::registry::{ResourceInfo, StoredObject, WatchEvent, WatchStream};
use crate::status::ApiError;

/// How many events are sent together at most.
const AT_ONCE: usize = 16;

/// How the events of one watch are written.
pub(crate) struct EventWriter {
    accepted: Accepted,
    table: TableConvertor,
    api_version: String,
    kind: String,
    frames: Arc<EventFrames>,
    /// Counts what is sent.
    sent: Arc<WatchSeries>,
    /// Tables name their columns in the first event only.
    first: bool,
}

/// Answers with events until the stream ends, the time is over or the server stops.
pub(crate) fn respond(
    events: WatchStream,
    writer: EventWriter,
    timeout: Duration,
    stop: CancellationToken,
) -> Response {
    let content_type = writer.accepted.format.stream_media_type().unwrap_or_default();
    let end = async move {
        tokio::select! {
            () = tokio::time::sleep(timeout) => {}
            () = stop.cancelled_owned() => {}
        }
    };
    let mut response = Response::new(until(EventBody { events, writer }, end));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

struct EventBody {
    events: WatchStream,
    writer: EventWriter,
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(event) = ready!(self.events.poll_next_unpin(cx)) else {
            return Poll::Ready(None);
        };
        let Self { events, writer } = &mut *self;
        let bytes = writer.together(&event, events);
        Poll::Ready(Some(bytes.map(Frame::data).map_err(BodyError::from)))
    }
}

impl EventWriter {
    pub(crate) fn new(
        accepted: Accepted,
        table: TableConvertor,
        info: &ResourceInfo,
        frames: Arc<EventFrames>,
        sent: Arc<WatchSeries>,
    ) -> Self {
        Self {
            accepted,
            table,
            api_version: info.api_version(),
            kind: info.kind.clone().into_owned(),
            frames,
            sent,
            first: true,
        }
    }

    /// An event, and what came together with it.
    fn together(&mut self, event: &WatchEvent, events: &mut WatchStream) -> Result<Bytes, ApiError> {
        let first = self.event(event)?;
        let mut together = BytesMut::new();
        for _ in 1..AT_ONCE {
            let Some(event) = events.next_ready() else { break };
            if together.is_empty() {
                together.put_slice(&first);
            }
            together.put_slice(&self.event(&event)?);
        }
        match together.is_empty() {
            true => Ok(first),
            false => Ok(together.freeze()),
        }
    }

    fn event(&mut self, event: &WatchEvent) -> Result<Bytes, ApiError> {
        let bytes = self.encoded(event)?;
        self.sent.sent(bytes.len());
        Ok(bytes)
    }

    fn encoded(&mut self, event: &WatchEvent) -> Result<Bytes, ApiError> {
        match event {
            WatchEvent::Added(object) => self.object("ADDED", object),
            WatchEvent::Modified(object) => self.object("MODIFIED", object),
            WatchEvent::Deleted(object) => self.object("DELETED", object),
            WatchEvent::Bookmark {
                resource_version,
                initial_events_end,
            } => self.bookmark(*resource_version, *initial_events_end),
            WatchEvent::Error(error) => self.error(error),
        }
    }

    fn object(&mut self, event_type: &'static str, object: &StoredObject) -> Result<Bytes, ApiError> {
        let format = self.accepted.format;
        match (format, self.accepted.view) {
            (_, View::Object) => self.frames.get((object.resource_version(), event_type, format), || {
                if format != Format::Protobuf {
                    return Ok(line(event_type, &object.json()));
                }
                let message = object.protobuf();
                let message = message.ok_or_else(|| ApiError::internal("this kind has no protobuf form"))?;
                Ok(frame(event_type, &self.api_version, &self.kind, message))
            }),
            (Format::Protobuf, view) => {
                let version = meta_version(view);
                let partial = partial_metadata_value(&object.document(), version);
                let message = transcode::value_to_protobuf(partial_schema()?, &partial)?;
                Ok(frame(
                    event_type,
                    version.api_version(),
                    "PartialObjectMetadata",
                    message,
                ))
            }
            (_, View::Table(_)) => {
                let meta = version_only(object.resource_version());
                let table = self.table.table([object], &meta, std::mem::take(&mut self.first))?;
                Ok(line(event_type, table.as_bytes()))
            }
            (_, view) => Ok(line(
                event_type,
                partial_metadata(object, meta_version(view))?.as_bytes(),
            )),
        }
    }

    fn bookmark(&mut self, resource_version: u64, initial_events_end: bool) -> Result<Bytes, ApiError> {
        let (api_version, kind) = match self.accepted.view {
            View::Object => (self.api_version.as_str(), self.kind.as_str()),
            view => (meta_version(view).api_version(), "PartialObjectMetadata"),
        };
        let mut metadata = json!({ "resourceVersion": resource_version.to_string() });
        if initial_events_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata });
        if self.accepted.format == Format::Protobuf {
            let message = transcode::value_to_protobuf(partial_schema()?, &object)?;
            return Ok(frame("BOOKMARK", api_version, kind, message));
        }
        let object = self.bookmark_json(&object)?;
        if let View::Table(_) = self.accepted.view {
            let table = self.table.bookmark(&object, &version_only(resource_version));
            return Ok(line("BOOKMARK", table.as_bytes()));
        }
        Ok(line("BOOKMARK", object.as_bytes()))
    }

    /// The bookmark's object with the members that its kind always shows.
    fn bookmark_json(&self, object: &Value) -> Result<String, ApiError> {
        let kind = schema_of(&self.api_version, &self.kind).filter(|_| self.accepted.view == View::Object);
        let mut json = Vec::new();
        match kind {
            Some(kind) => transcode::write_json(kind.message, object, &mut json),
            None => transcode::write_json(partial_schema()?, object, &mut json),
        }
        Ok(String::from_utf8_lossy(&json).into_owned())
    }

    fn error(&self, error: &ApiError) -> Result<Bytes, ApiError> {
        let status = serde_json::to_value(error.status()).map_err(ApiError::internal)?;
        let kind = schema_of("v1", "Status").ok_or_else(|| ApiError::internal("no schema of Status"))?;
        if self.accepted.format == Format::Protobuf {
            let message = transcode::value_to_protobuf(kind.message, &status)?;
            return Ok(frame("ERROR", "v1", "Status", message));
        }
        let mut json = Vec::new();
        transcode::write_json(kind.message, &status, &mut json);
        Ok(line("ERROR", &json))
    }
}

fn schema_of(api_version: &str, kind: &str) -> Option<&'static schema::KindSchema> {
    schema::kind(&kubewire_client::Gvk::from_api_version(api_version, kind))
}

fn version_only(resource_version: u64) -> ListMeta {
    ListMeta {
        resource_version: resource_version.to_string(),
        ..ListMeta::default()
    }
}

fn meta_version(view: View) -> MetaVersion {
    match view {
        View::Table(version) | View::PartialObjectMetadata(version) | View::PartialObjectMetadataList(version) => {
            version
        }
        View::Object => MetaVersion::V1,
    }
}

fn line(event_type: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + 40);
    line.put_slice(b"{\"type\":");
    line.put_slice(quote(event_type).as_bytes());
    line.put_slice(b",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}

/// A length-delimited `WatchEvent`: type=1, object=2, a `RawExtension` whose raw=1 holds a whole envelope.
fn frame(event_type: &str, api_version: &str, kind: &str, message: Bytes) -> Bytes {
    let object = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: message,
    };
    let mut writer = ReverseWriter::with_capacity(object.bytes.len() + 96);
    let before = writer.len();
    writer.bytes_field(1, &envelope::encode(api_version, kind, &object));
    writer.close_message(2, before);
    writer.bytes_field(1, event_type.as_bytes());
    let length = u32::try_from(writer.len()).unwrap_or(u32::MAX);
    writer.prepend(&length.to_be_bytes());
    writer.into_bytes()
}
