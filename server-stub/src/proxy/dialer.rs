//! How the other side is reached.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Longest time to connect, as Go's dialers in kube-apiserver take.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to the other side.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, and what belongs to it and goes when it goes.
pub(super) struct StreamWith<S, T> {
    pub(super) stream: S,
    pub(super) with: T,
}

impl<S: AsyncRead + Unpin, T: Unpin> AsyncRead for StreamWith<S, T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin, T: Unpin> AsyncWrite for StreamWith<S, T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Opens connections.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// Connects to a host, by name or address.
    ///
    /// # Errors
    /// Nobody can be reached there.
    async fn dial(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>>;
}

/// Connects over the network of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct DirectDialer;

#[async_trait]
impl Dialer for DirectDialer {
    async fn dial(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        let connected = tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect((host, port))).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        // Keystrokes of an exec would otherwise wait for each other.
        let connected = connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream = connected
            .map_err(|error| io::Error::new(error.kind(), format!("dial tcp {host}:{port}: {}", reason(&error))))?;
        Ok(Box::new(stream))
    }
}

/// The words of Go's dialer where there are such.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        _ => error.to_string(),
    }
}
