//! Answers that hold on to something until they were sent.

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
