//! Connections of a server that stops are closed only when the client has had the time to read why.
//!
//! A socket that is closed with unread bytes in it resets the connection, and what was sent last may never arrive: the
//! frame that says which requests were not taken. So after the last byte was sent, what still comes is read away, until
//! the client closes its side too, for a second at most, as Go's HTTP/2 server waits.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

const LINGER: Duration = Duration::from_secs(1);

/// A connection that lingers if it is closed after `stop`.
pub(super) struct Lingering<S> {
    inner: S,
    stop: CancellationToken,
    /// Runs once the last byte was sent.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    pub(super) fn new(inner: S, stop: CancellationToken) -> Self {
        Self {
            inner,
            stop,
            timer: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        if this.timer.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(context))?;
            if !this.stop.is_cancelled() {
                return Poll::Ready(Ok(()));
            }
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut scratch = [0; 4096];
        loop {
            let mut unread = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.inner).poll_read(context, &mut unread) {
                Poll::Ready(Ok(())) if !unread.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return timer.as_mut().poll(context).map(Ok),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn what_comes_late_is_read_away_until_the_client_closes() {
        let stop = CancellationToken::new();
        let (server, mut client) = duplex(16);
        let mut server = Lingering::new(server, stop.clone());
        stop.cancel();
        let closing = tokio::spawn(async move { server.shutdown().await });
        client.write_all(&[7; 100]).await.unwrap();
        assert!(!closing.is_finished());
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(client);
        closing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stays_is_waited_for_for_a_second_and_only_by_a_server_that_stops() {
        let stop = CancellationToken::new();
        let start = Instant::now();
        let (server, _client) = duplex(16);
        Lingering::new(server, stop.clone()).shutdown().await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        stop.cancel();
        let (server, _other) = duplex(16);
        Lingering::new(server, stop).shutdown().await.unwrap();
        assert_eq!(start.elapsed(), LINGER);
    }
}
