//! Streams of changes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;

use crate::error::Error;
use crate::resource::ResourceVersion;
use crate::rest::{Response, decode_status};
use crate::transport::Body;
use crate::wire::{EncodedEvent, EncodedObject, ObjectHeader, WatchDecoder, WireError};

/// One change, decoded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WatchEvent<K> {
    /// An object came into being, or into the selection.
    Added(K),
    /// An object changed.
    Modified(K),
    /// An object went away, or out of the selection; its last state.
    Deleted(K),
    /// Nothing happened up to this version (KEP-956).
    Bookmark {
        /// The version to resume from.
        resource_version: ResourceVersion,
        /// True for the bookmark behind the initial events of a streaming list.
        initial_events_end: bool,
    },
}

/// A stream of changes whose objects are not decoded yet.
///
/// Ends where the server ends the watch. An `ERROR` event of the server is an `Err` with its `Status` and the last
/// item. Dropping the stream closes the request.
#[must_use = "a watch does nothing unless polled"]
pub struct EncodedWatch {
    doing: String,
    decoder: WatchDecoder,
    /// `None` once the stream has ended.
    body: Option<Body>,
}

impl std::fmt::Debug for EncodedWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedWatch")
            .field("doing", &self.doing)
            .finish_non_exhaustive()
    }
}

impl EncodedWatch {
    pub(super) fn new(response: Response) -> Self {
        let decoder = WatchDecoder::new(response.encoding());
        let (doing, body) = response.into_body();
        Self {
            doing,
            decoder,
            body: Some(body),
        }
    }

    fn fail(&mut self, error: WireError) -> Poll<Option<Result<EncodedEvent, Error>>> {
        self.body = None;
        Poll::Ready(Some(Err(Error::wire(&self.doing, error))))
    }
}

impl Stream for EncodedWatch {
    type Item = Result<EncodedEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let Some(body) = &mut this.body else {
                return Poll::Ready(None);
            };
            match this.decoder.next_event() {
                Ok(Some(EncodedEvent::Error(status))) => {
                    this.body = None;
                    let error = match decode_status(&status) {
                        Ok(status) => Error::from_status(&this.doing, status, None),
                        Err(error) => Error::wire(&this.doing, error),
                    };
                    return Poll::Ready(Some(Err(error)));
                }
                Ok(Some(event)) => return Poll::Ready(Some(Ok(event))),
                Ok(None) => {}
                Err(error) => return this.fail(error),
            }
            match ready!(body.as_mut().poll_next(context)) {
                Some(Ok(chunk)) => this.decoder.push(chunk),
                Some(Err(error)) => {
                    this.body = None;
                    return Poll::Ready(Some(Err(Error::transport(&this.doing, error))));
                }
                None => match this.decoder.finish() {
                    Ok(()) => this.body = None,
                    Err(error) => return this.fail(error),
                },
            }
        }
    }
}

/// A stream of decoded changes; see [`EncodedWatch`] for how it ends.
#[must_use = "a watch does nothing unless polled"]
pub struct WatchStream<K> {
    events: EncodedWatch,
    decode: Arc<Decode<K>>,
}

type Decode<K> = dyn Fn(&EncodedObject) -> Result<K, WireError> + Send + Sync;

impl<K> std::fmt::Debug for WatchStream<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WatchStream").field(&self.events).finish()
    }
}

impl<K> WatchStream<K> {
    pub(crate) fn new(
        events: EncodedWatch,
        decode: impl Fn(&EncodedObject) -> Result<K, WireError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            events,
            decode: Arc::new(decode),
        }
    }
}

impl<K> Stream for WatchStream<K> {
    type Item = Result<WatchEvent<K>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = match ready!(Pin::new(&mut self.events).poll_next(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(event)) => decode(event, &*self.decode),
        };
        Poll::Ready(Some(event.map_err(|error| Error::wire(&self.events.doing, error))))
    }
}

/// Decodes the object of an event; an error names the object and does not end the stream.
fn decode<K>(
    event: EncodedEvent,
    decode: &dyn Fn(&EncodedObject) -> Result<K, WireError>,
) -> Result<WatchEvent<K>, WireError> {
    let object = |object| decode(&object).map_err(|error| of_object(error, "object", &object));
    Ok(match event {
        EncodedEvent::Added(added) => WatchEvent::Added(object(added)?),
        EncodedEvent::Modified(modified) => WatchEvent::Modified(object(modified)?),
        EncodedEvent::Deleted(deleted) => WatchEvent::Deleted(object(deleted)?),
        EncodedEvent::Bookmark {
            resource_version,
            initial_events_end,
        } => WatchEvent::Bookmark {
            resource_version,
            initial_events_end,
        },
        EncodedEvent::Error(_) => {
            return Err(WireError::Value {
                path: "type".to_owned(),
                reason: "an error is the end of a stream, not an event".to_owned(),
            });
        }
    })
}

/// Says in which object of a stream or list an error is.
pub(super) fn of_object(error: WireError, path: &str, object: &EncodedObject) -> WireError {
    let key = ObjectHeader::parse(object)
        .map(|header| header.key().to_string())
        .unwrap_or_default();
    WireError::Value {
        path: path.to_owned(),
        reason: format!("{key:?}: {error}"),
    }
}
