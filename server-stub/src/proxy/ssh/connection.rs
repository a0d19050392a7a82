//! One SSH connection, and what goes through it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use russh::client::{Handle, Msg};
use russh::{ChannelOpenFailure, ChannelStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::login::{Host, SshError};
use crate::proxy::dialer::{Dialer, Stream, StreamWith};

/// How long a connection that nobody uses any more may take to send what it still has.
const LINGER: Duration = Duration::from_secs(5);

/// Longest time until a node has connected to what was dialled.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// All connections of a tunneler.
#[derive(Default)]
pub(super) struct Sessions {
    /// The tasks behind them.
    pub(super) tasks: TaskTracker,
    end: CancellationToken,
}

impl Sessions {
    /// Ends all of them, and waits until they are gone.
    pub(super) async fn end(&self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A connection to a node's SSH server. It ends with the value.
pub(super) struct Connection {
    address: String,
    handle: Handle<Host>,
    socket: SocketEnd,
}

impl Connection {
    pub(super) fn new(address: &str, handle: Handle<Host>, socket: SocketEnd) -> Self {
        Self {
            address: address.to_owned(),
            handle,
            socket,
        }
    }

    /// Waits until the other side is gone.
    pub(super) async fn closed(&self) {
        self.socket.closed.cancelled().await;
    }

    /// Lets the node connect to a host as it knows it.
    async fn open(&self, host: &str, port: u16) -> Result<ChannelStream<Msg>, SshError> {
        let opening = self.handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0);
        let opened = tokio::time::timeout(OPEN_TIMEOUT, opening).await;
        let opened = opened.map_err(|_| SshError::Timeout(self.address.clone()))?;
        let channel = opened.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => {
                SshError::Rejected("connect failed".to_owned())
            }
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
                SshError::Rejected("administratively prohibited".to_owned())
            }
            russh::Error::ChannelOpenFailure(failure) => SshError::Rejected(format!("{failure:?}")),
            source => SshError::Connection {
                address: self.address.clone(),
                source,
            },
        })?;
        Ok(channel.into_stream())
    }

    /// Connects to a host as the node knows it, for the rest of this connection's life.
    pub(super) async fn into_stream(self, host: &str, port: u16) -> Result<Box<dyn Stream>, SshError> {
        let stream = self.open(host, port).await?;
        Ok(Box::new(StreamWith { stream, with: self }))
    }
}

#[async_trait]
impl Dialer for Connection {
    async fn dial(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        let opened = self.open(host, port).await;
        let stream = opened.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Box::new(stream))
    }
}

/// The socket under an SSH connection: it breaks off a while after nobody uses the connection, whatever the protocol
/// still waits for, and at once when all connections are to end.
pub(super) struct Socket {
    stream: TcpStream,
    end: Fuse<BoxFuture<'static, ()>>,
    _closed: DropGuard,
}

/// Ends a [`Socket`] when it is dropped, and learns of its end.
pub(super) struct SocketEnd {
    closed: CancellationToken,
    _unused: DropGuard,
}

impl Socket {
    /// The socket, and what ends it.
    pub(super) fn new(stream: TcpStream, sessions: &Sessions) -> (Self, SocketEnd) {
        let (unused, closed) = (CancellationToken::new(), CancellationToken::new());
        let other_end = SocketEnd {
            closed: closed.clone(),
            _unused: unused.clone().drop_guard(),
        };
        let all = sessions.end.clone();
        let end = async move {
            let lingered = async {
                unused.cancelled().await;
                tokio::time::sleep(LINGER).await;
            };
            tokio::select! {
                () = lingered => {}
                () = all.cancelled() => {}
            }
        };
        let socket = Self {
            stream,
            end: end.boxed().fuse(),
            _closed: closed.drop_guard(),
        };
        (socket, other_end)
    }

    /// Asks for a wake-up at the end; an error once it has come.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.is_terminated() || self.end.poll_unpin(cx).is_ready() {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
