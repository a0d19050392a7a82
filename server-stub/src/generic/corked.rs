//! Writes of one HTTP/2 connection that go out together.
//!
//! HTTP/2 writes every frame by itself. With many watches on a connection that would be a TLS record and a system call
//! for each event. So frames are collected as long as there is something to do, and sent then.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is collected before it is sent in any case.
const LIMIT: usize = 64 * 1024;
/// What a small answer takes.
const SHORT: usize = 16 * 1024;

/// A stream whose writes are collected and sent by its [`Uncork`].
pub(super) struct Corked<S>(Arc<Mutex<Bottle<S>>>);

/// Sends what its [`Corked`] has collected.
pub(super) struct Uncork<S>(Arc<Mutex<Bottle<S>>>);

struct Bottle<S> {
    stream: S,
    collected: Vec<u8>,
    /// How much of that the stream has taken.
    taken: usize,
    flushed: bool,
}

/// The stream to write to, and what sends.
pub(super) fn cork<S>(stream: S) -> (Corked<S>, Uncork<S>) {
    let bottle = Bottle {
        stream,
        collected: Vec::new(),
        taken: 0,
        flushed: true,
    };
    let bottle = Arc::new(Mutex::new(bottle));
    (Corked(bottle.clone()), Uncork(bottle))
}

impl<S: AsyncWrite + Unpin> Uncork<S> {
    /// Drives the connection that writes to the other side, until it ends or sending fails.
    ///
    /// Cancel-safe: the connection can be driven on.
    pub(super) async fn drive<C>(&self, mut connection: Pin<&mut C>) -> io::Result<()>
    where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut gave_way = false;
        std::future::poll_fn(|cx| {
            // Other tasks that run now may have something for this connection, too.
            gave_way = !gave_way;
            if gave_way {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(result.map_err(io::Error::other));
            }
            let _ = self.0.lock().poll_flush(cx)?;
            Poll::Pending
        })
        .await
    }
}

impl<S: AsyncWrite + Unpin> Bottle<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left @ [_, ..]) = self.collected.get(self.taken..) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.taken += taken,
            }
        }
        self.collected.clear();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }

    /// Sends all there is, before nothing may be written for long.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        if !self.flushed {
            // Most connections are idle most of the time: they keep no room.
            self.collected = Vec::new();
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_collect(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.collected.len() >= LIMIT {
            ready!(self.poll_send(cx))?;
        }
        self.flushed = false;
        let length = parts.iter().map(|part| part.len()).sum();
        if self.collected.capacity() < LIMIT && self.collected.len() + length > SHORT {
            // More of the same will follow: room is made once.
            self.collected.reserve(LIMIT + length);
        }
        parts.iter().for_each(|part| self.collected.extend_from_slice(part));
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().poll_collect(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_collect(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Says that all is sent, which it will be as soon as the connection has nothing more to do.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bottle = self.0.lock();
        ready!(bottle.poll_flush(cx))?;
        Pin::new(&mut bottle.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Corked<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Remembers what was written at once.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl AsyncWrite for Writes {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_is_written_in_one_go_is_sent_together() {
        let (mut corked, uncork) = cork(Writes::default());
        let (more, mut wanted) = tokio::sync::mpsc::channel(1);
        let mut connection = std::pin::pin!(async move {
            while let Some(bytes) = wanted.recv().await {
                for byte in bytes {
                    corked.write_all(&[byte]).await.unwrap();
                    corked.flush().await.unwrap();
                }
            }
            corked.shutdown().await.unwrap();
            Ok(())
        });
        for bytes in [b"one", b"two"] {
            more.send(*bytes).await.unwrap();
            tokio::select! {
                biased;
                _ = uncork.drive(connection.as_mut()) => unreachable!("there may be more"),
                () = tokio::task::yield_now().then(|()| tokio::task::yield_now()) => {}
            }
        }
        more.send(*b"end").await.unwrap();
        drop(more);
        uncork.drive(connection).await.unwrap();
        assert_eq!(uncork.0.lock().stream.0, [b"one", b"two", b"end"]);
        assert_eq!(uncork.0.lock().collected.capacity(), 0);
    }

    #[tokio::test]
    async fn who_does_not_read_is_waited_for() {
        let (server, mut client) = tokio::io::duplex(1000);
        let (mut corked, uncork) = cork(server);
        let written = Arc::new(Mutex::new(0));
        let counted = written.clone();
        let connection = tokio::spawn(async move {
            let connection = async move {
                for _ in 0..100 {
                    corked.write_all(&[7; 10_000]).await.unwrap();
                    *counted.lock() += 10_000;
                }
                corked.shutdown().await.unwrap();
                Ok(())
            };
            uncork.drive(std::pin::pin!(connection)).await
        });
        let mut first = [0; 1];
        client.read_exact(&mut first).await.unwrap();
        tokio::task::yield_now().await;
        assert!(*written.lock() <= LIMIT + 20_000, "{}", written.lock());
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len(), 999_999);
        connection.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_cannot_send_ends() {
        let (server, client) = tokio::io::duplex(1000);
        drop(client);
        let (mut corked, uncork) = cork(server);
        let connection = async move {
            corked.write_all(b"hello").await.unwrap();
            std::future::pending::<hyper::Result<()>>().await
        };
        let error = uncork.drive(std::pin::pin!(connection)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
