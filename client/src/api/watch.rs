//! Streams of changes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use tokio::time::Sleep;

use crate::error::Error;
use crate::resource::ResourceVersion;
use crate::rest::{Request, Response, decode_status};
use crate::transport::Body;
use crate::wire::{EncodedEvent, EncodedObject, ObjectHeader, WatchDecoder, WireError};

/// How much later than it was told to the server may end a watch.
const MARGIN: Duration = Duration::from_secs(30);

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
/// Ends where the server ends the watch. An `ERROR` event of the server is an `Err` with its `Status` and the last item.
/// Dropping the stream closes the request.
///
/// A watch may be silent for long, so silence alone says nothing. That its connection is dead is found out by
/// - the options' `timeout`, which the server is told: a watch that goes on for 30 s longer ends with an error;
/// - pings of HTTP/2, every 30 s and to be answered within 15 s;
/// - TCP's own questions over HTTP/1.1, after 30 s of silence, three times in 15 s each.
#[must_use = "a watch does nothing unless polled"]
pub struct EncodedWatch {
    request: Arc<Request>,
    decoder: WatchDecoder,
    /// `None` once the stream has ended.
    body: Option<Body>,
    /// When the server must have ended the watch, where it was told when to, and how long after its beginning that is.
    deadline: Option<(Pin<Box<Sleep>>, Duration)>,
}

impl std::fmt::Debug for EncodedWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedWatch")
            .field("about", &self.request.about)
            .finish_non_exhaustive()
    }
}

impl EncodedWatch {
    /// `limit` is how long the server was told to keep the watch open.
    pub(super) fn new(response: Response, limit: Option<Duration>) -> Self {
        let decoder = WatchDecoder::new(response.encoding());
        let (request, body) = response.into_body();
        Self {
            request,
            decoder,
            body: Some(body),
            deadline: limit.map(|limit| (Box::pin(tokio::time::sleep(limit + MARGIN)), limit + MARGIN)),
        }
    }

    /// A watch that outlives its time hangs on a connection that is dead without anybody having said so.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<EncodedEvent, Error>>> {
        let Some((deadline, limit)) = &mut self.deadline else {
            return Poll::Pending;
        };
        ready!(deadline.as_mut().poll(context));
        self.body = None;
        Poll::Ready(Some(Err(Error::timeout(&*self.request, *limit))))
    }

    fn fail(&mut self, error: WireError) -> Poll<Option<Result<EncodedEvent, Error>>> {
        self.body = None;
        Poll::Ready(Some(Err(Error::wire(&*self.request, error))))
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
                        Ok(status) => Error::refused(&*this.request, status, None),
                        Err(error) => Error::wire(&*this.request, error),
                    };
                    return Poll::Ready(Some(Err(error)));
                }
                Ok(Some(event)) => return Poll::Ready(Some(Ok(event))),
                Ok(None) => {}
                Err(error) => return this.fail(error),
            }
            let Poll::Ready(chunk) = body.as_mut().poll_next(context) else {
                return this.poll_deadline(context);
            };
            match chunk {
                Some(Ok(chunk)) => this.decoder.push(chunk),
                Some(Err(error)) => {
                    this.body = None;
                    return Poll::Ready(Some(Err(Error::transport(&*this.request, error))));
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
        Poll::Ready(Some(event.map_err(|error| Error::wire(&*self.events.request, error))))
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
