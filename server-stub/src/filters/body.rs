//! Answers that hold on to something until they were sent, and those that end when something happens.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};

use crate::generic::request::{BodyError, Response, ResponseBody};

/// Drops `guard` when the body was sent, or will not be.
pub(super) fn guarded<T: Send + Unpin + 'static>(response: Response, guard: T) -> Response {
    response.map(|body| Guarded { body, _guard: guard }.boxed_unsync())
}

struct Guarded<T> {
    body: ResponseBody,
    _guard: T,
}

impl<T: Unpin> Body for Guarded<T> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How many frames a body sends in a row before it is asked whether it is at its end.
const IN_A_ROW: u32 = 64;

/// The body until something happens, which is looked at when the body has nothing to say, and now and then.
pub(crate) fn until(
    body: impl Body<Data = Bytes, Error = BodyError> + Send + Unpin + 'static,
    end: impl Future<Output = ()> + Send + 'static,
) -> ResponseBody {
    let body = Until {
        body,
        end: Box::pin(end),
        in_a_row: 0,
    };
    body.boxed_unsync()
}

struct Until<B> {
    body: B,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    in_a_row: u32,
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for Until<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.in_a_row == IN_A_ROW {
            self.in_a_row = 0;
            if self.end.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.in_a_row += 1;
                Poll::Ready(frame)
            }
            Poll::Pending => {
                self.in_a_row = 0;
                self.end.as_mut().poll(context).map(|()| None)
            }
        }
    }
}
