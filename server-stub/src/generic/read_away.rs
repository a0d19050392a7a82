//! What a client sends although its request is answered already is read away, up to a bound, as Go's server does.
//!
//! A stream of HTTP/2 whose body is dropped is reset, and a client that is still sending may then take the reset for the
//! answer: a request that was refused would look like a broken connection.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};

use super::request::{BodyError, RequestBody};

/// So much is read away at most, and for so long.
const MOST: usize = 256 * 1024;
const LONGEST: Duration = Duration::from_secs(5);

/// A body that is read to its end even if nobody wants to.
pub(super) fn read_away<B>(body: B) -> RequestBody
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    // Most requests have no body.
    if body.is_end_stream() {
        return body.map_err(Into::into).boxed_unsync();
    }
    ReadAway(Some(body)).boxed_unsync()
}

/// Nothing is left in it once its end was seen.
struct ReadAway<B: Body<Data = Bytes> + Send + Unpin + 'static>(Option<B>);

impl<B> Body for ReadAway<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.0 = None;
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for ReadAway<B> {
    fn drop(&mut self) {
        let Some(mut body) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let rest = async move {
            let mut read = 0;
            while let Some(Ok(frame)) = body.frame().await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > MOST {
                    return;
                }
            }
        };
        runtime.spawn(tokio::time::timeout(LONGEST, rest));
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use http_body_util::StreamBody;
    use tokio::sync::mpsc;

    use super::*;

    /// A body of pieces that are sent, and the sender.
    fn body() -> (mpsc::Sender<Bytes>, RequestBody) {
        let (sender, receiver) = mpsc::channel::<Bytes>(1);
        let pieces = futures::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let frames = pieces.map(|piece| Ok::<_, BodyError>(Frame::data(piece)));
        (sender, read_away(StreamBody::new(frames.boxed())))
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_wants_is_read_up_to_a_bound() {
        let (sender, body) = body();
        drop(body);
        for _ in 0..4 {
            sender.send(Bytes::from_static(&[0; MOST / 4])).await.unwrap();
        }
        sender.send(Bytes::from_static(b"too much")).await.unwrap();
        sender.closed().await;
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let (sender, body) = body();
        drop(body);
        sender.send(Bytes::from_static(b"some")).await.unwrap();
        let start = tokio::time::Instant::now();
        sender.closed().await;
        assert_eq!(start.elapsed(), LONGEST);
    }

    #[tokio::test]
    async fn what_is_wanted_arrives() {
        let (sender, body) = body();
        sender.send(Bytes::from_static(b"all")).await.unwrap();
        drop(sender);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "all");
    }
}
