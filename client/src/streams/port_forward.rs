//! Connections to ports of a pod.

use futures::future::{Either, join_all, select, try_join_all};
use k8s_openapi::api::core::v1::Pod;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Mutex;

use super::process::{Pump, split};
use super::websocket::{Channels, Incoming, Receiver, Sender};
use crate::api::Api;
use crate::error::{Doing, Error};

/// Bytes of a connection that may wait for their reader.
const BUFFER: usize = 64 << 10;
/// Channels are numbered by a byte, two for a port, and one number is taken.
const MAX_PORTS: usize = 127;
/// The longest reason that is kept.
const MAX_REASON: usize = 4 << 10;

impl Api<Pod> {
    /// Connects to ports of a running pod, one connection each.
    ///
    /// All go over one connection to the server: where nobody reads from one of them, the others wait.
    ///
    /// ```no_run
    /// # async fn example(pods: kubewire_client::Api<k8s_openapi::api::core::v1::Pod>) -> Result<(), Box<dyn std::error::Error>> {
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let mut ports = pods.port_forward("web-0", &[8080]).await?;
    /// let mut connection = ports.connection(8080).ok_or("asked for above")?;
    /// connection.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn port_forward(&self, name: &str, ports: &[u16]) -> Result<PortForward, Error> {
        let mut request = self.endpoint().subresource_request(name, "portforward")?;
        if ports.is_empty() || ports.len() > MAX_PORTS {
            return Err(Error::invalid(
                &request,
                format!("1 to {MAX_PORTS} ports at a time, not {}", ports.len()),
            ));
        }
        for port in ports {
            request = request.param("ports", port.to_string());
        }
        let doing = Doing::from(&request);
        let Channels { sender, receiver } = Channels::open(self.client(), request).await?;
        let mut connections = Vec::new();
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for port in ports {
            let (ours, theirs) = tokio::io::duplex(BUFFER);
            let (reader, writer) = tokio::io::split(theirs);
            connections.push((*port, Some(ours)));
            readers.push(reader);
            writers.push(Some(writer));
        }
        let numbers = ports.to_vec();
        let pump = async move {
            let outgoing = std::pin::pin!(send_all(sender, readers));
            let incoming = std::pin::pin!(receive_all(receiver, writers, numbers, doing));
            match select(incoming, outgoing).await {
                Either::Left((result, _)) => result,
                Either::Right((_, incoming)) => incoming.await,
            }
        };
        Ok(PortForward {
            connections,
            pump: Pump(tokio::spawn(pump)),
        })
    }
}

/// Connections to ports of a pod. Dropping it closes them.
#[derive(Debug)]
pub struct PortForward {
    connections: Vec<(u16, Option<DuplexStream>)>,
    pump: Pump<()>,
}

impl PortForward {
    /// The connection to a port, once. Shutting it down ends this direction only (with `v5.channel.k8s.io`; older
    /// servers cannot be told).
    pub fn connection(&mut self, port: u16) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
        let mut of_port = self.connections.iter_mut().filter(|(number, _)| *number == port);
        of_port.find_map(|(_, connection)| connection.take())
    }

    /// Waits for the end of all connections; fails with what the server says of one, such as that nobody listens.
    pub async fn wait(self) -> Result<(), Error> {
        let Self { connections, pump } = self;
        drop(connections);
        pump.join().await
    }
}

/// Channels are the port's place times two, and the next one for errors.
fn data_channel(place: usize) -> u8 {
    u8::try_from(place * 2).unwrap_or(u8::MAX)
}

async fn send_all(sender: Sender, readers: Vec<ReadHalf<DuplexStream>>) -> Result<(), Error> {
    let sender = Mutex::new(sender);
    let sending = readers
        .into_iter()
        .enumerate()
        .map(|(place, reader)| send(&sender, data_channel(place), reader));
    let all_closed = try_join_all(sending).await?.into_iter().all(|closed| closed);
    if !all_closed {
        // The old protocol has no words for the end of one direction: end everything.
        sender.lock().await.close().await;
    }
    Ok(())
}

/// True where the other side knows that this direction has ended.
async fn send(sender: &Mutex<Sender>, channel: u8, mut reader: ReadHalf<DuplexStream>) -> Result<bool, Error> {
    let mut buffer = vec![channel; BUFFER];
    loop {
        let read = reader.read(buffer.get_mut(1..).unwrap_or_default()).await.unwrap_or(0);
        if read == 0 {
            return sender.lock().await.close_channel(channel).await;
        }
        let message = buffer.get(..=read).unwrap_or_default().to_vec();
        sender.lock().await.send(message).await?;
    }
}

async fn receive_all(
    mut receiver: Receiver,
    mut writers: Vec<Option<WriteHalf<DuplexStream>>>,
    ports: Vec<u16>,
    doing: Doing,
) -> Result<(), Error> {
    // The first message of every channel is the number of its port.
    let mut greeted = vec![false; ports.len() * 2];
    let mut failed: Option<(u16, Vec<u8>)> = None;
    while let Some(incoming) = receiver.next().await? {
        let (channel, data) = match incoming {
            Incoming::Data(data) => split(data),
            Incoming::Closed(channel) => {
                close(&mut writers, usize::from(channel)).await;
                continue;
            }
        };
        let channel = usize::from(channel);
        let (Some(greeted), Some(port)) = (greeted.get_mut(channel), ports.get(channel / 2)) else {
            continue;
        };
        if !std::mem::replace(greeted, true) {
            if *data != port.to_le_bytes() {
                return Err(Error::invalid(
                    doing,
                    format!("the server confuses channels: {data:?} is not port {port}"),
                ));
            }
        } else if channel % 2 == 1 {
            let (_, reason) = failed.get_or_insert((*port, Vec::new()));
            reason.extend(data.iter().take(MAX_REASON - reason.len().min(MAX_REASON)));
            close(&mut writers, channel - 1).await;
        } else if let Some(writer) = writers.get_mut(channel / 2)
            && let Some(open) = writer
            && open.write_all(&data).await.is_err()
        {
            *writer = None; // nobody reads any more
        }
    }
    join_all(writers.iter_mut().flatten().map(AsyncWriteExt::shutdown)).await;
    match failed {
        None => Ok(()),
        Some((port, reason)) => {
            let reason = String::from_utf8_lossy(&reason).trim().to_owned();
            Err(Error::invalid(doing, format!("port {port}: {reason}")))
        }
    }
}

async fn close(writers: &mut [Option<WriteHalf<DuplexStream>>], channel: usize) {
    if channel.is_multiple_of(2)
        && let Some(writer) = writers.get_mut(channel / 2)
        && let Some(mut writer) = writer.take()
    {
        writer.shutdown().await.ok();
    }
}
