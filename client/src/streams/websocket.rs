//! A WebSocket connection to a subresource of a pod (RFC 6455, KEP-4006).

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http::{HeaderValue, header};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use crate::error::{Doing, Error};
use crate::rest::{Client, Request};
use crate::transport::Connection;

/// The subprotocols, the best one first: with v5 one direction of a channel can be closed.
const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";
const PROTOCOLS: HeaderValue = HeaderValue::from_static("v5.channel.k8s.io, v4.channel.k8s.io");

/// The channel of v5 whose messages name a channel that ends.
const CLOSE: u8 = 255;
/// The server cuts messages far smaller; one that is larger is an attack or a mistake.
const MAX_MESSAGE: usize = 16 << 20;

/// Channels of bytes over one connection: the first byte of every message names the channel.
pub(super) struct Channels {
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
}

/// The way out.
pub(super) struct Sender {
    doing: Doing,
    can_close: bool,
    sink: SplitSink<WebSocketStream<Connection>, Message>,
}

/// The way in.
pub(super) struct Receiver {
    doing: Doing,
    stream: SplitStream<WebSocketStream<Connection>>,
}

/// What comes in.
pub(super) enum Incoming {
    /// Bytes on a channel; the first byte is the channel's number.
    Data(bytes::Bytes),
    /// No more bytes come on this channel.
    Closed(u8),
}

impl Channels {
    /// Opens the connection.
    pub(super) async fn open(client: &Client, request: Request) -> Result<Self, Error> {
        let key = generate_key();
        let doing = Doing::from(&request);
        let invalid = |reason: &str| Error::invalid(&doing, reason);
        let request = request
            .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
            .header(header::UPGRADE, HeaderValue::from_static("websocket"))
            .header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
            .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOLS)
            .header(
                header::SEC_WEBSOCKET_KEY,
                HeaderValue::from_str(&key).map_err(|_| invalid("the WebSocket key is no header"))?,
            );
        let (head, connection) = client.upgrade(request).await?;
        let answer = |name| {
            head.headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        if answer(header::SEC_WEBSOCKET_ACCEPT) != Some(&derive_accept_key(key.as_bytes())) {
            return Err(invalid("the server changed to another protocol than WebSocket"));
        }
        let can_close = match answer(header::SEC_WEBSOCKET_PROTOCOL) {
            Some(V5) => true,
            Some(V4) => false,
            other => return Err(invalid(&format!("the server speaks {other:?}, not {V5} or {V4}"))),
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let socket = WebSocketStream::from_raw_socket(connection, Role::Client, Some(config)).await;
        let (sink, stream) = socket.split();
        Ok(Self {
            sender: Sender {
                doing: doing.clone(),
                can_close,
                sink,
            },
            receiver: Receiver { doing, stream },
        })
    }
}

impl Sender {
    /// Sends a message whose first byte is the channel.
    pub(super) async fn send(&mut self, message: Vec<u8>) -> Result<(), Error> {
        let sent = self.sink.send(Message::Binary(message.into())).await;
        sent.map_err(|error| failed(&self.doing, error))
    }

    /// Tells that no more bytes follow on a channel. False where the protocol has no words for that.
    pub(super) async fn close_channel(&mut self, channel: u8) -> Result<bool, Error> {
        if self.can_close {
            self.send(vec![CLOSE, channel]).await?;
        }
        Ok(self.can_close)
    }

    /// Ends the connection.
    pub(super) async fn close(&mut self) {
        // It may be gone already.
        self.sink.send(Message::Close(None)).await.ok();
    }
}

impl Receiver {
    /// The next message; `None` at the end of the connection.
    pub(super) async fn next(&mut self) -> Result<Option<Incoming>, Error> {
        loop {
            let message = match self.stream.next().await {
                None => return Ok(None),
                Some(Err(WebSocketError::ConnectionClosed)) => return Ok(None),
                Some(message) => message.map_err(|error| failed(&self.doing, error))?,
            };
            let data = match message {
                Message::Binary(data) => data,
                Message::Text(text) => text.into(),
                Message::Close(_) => return Ok(None),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            return match data[..] {
                [] => continue,
                [CLOSE, channel] => Ok(Some(Incoming::Closed(channel))),
                _ => Ok(Some(Incoming::Data(data))),
            };
        }
    }
}

fn failed(doing: &Doing, error: WebSocketError) -> Error {
    Error::transport(doing, crate::transport::TransportError::body(error))
}
