//! Calls to etcd: on one of several endpoints, and on the next one when that is down.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, ConnectError, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::messages::{Empty, StatusResponse, WatchRequest, WatchResponse};
use crate::storage::StorageError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take on one endpoint.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for etcd when the server starts.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const START_PAUSE: Duration = Duration::from_millis(200);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// Where etcd is, and how it is trusted.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Endpoints {
    /// URLs such as `http://127.0.0.1:2379`; without scheme, `http` is meant.
    pub servers: Vec<String>,
    /// The authority that signed etcd's certificate, as PEM file. Default: the system's.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, as PEM file.
    pub cert_file: Option<PathBuf>,
    /// Its key, as PEM file.
    pub key_file: Option<PathBuf>,
}

/// Whether a call may be made twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing, or the same again.
    Safe,
    /// Only if it surely was not sent.
    Unsafe,
}

#[derive(Debug)]
pub(super) struct Client {
    channels: Vec<Channel>,
    /// The endpoint that is used, counted on beyond the last.
    current: AtomicUsize,
    /// The newest revision that any answer told.
    revision: AtomicU64,
}

impl Client {
    /// Waits until an endpoint answers.
    pub(super) async fn connect(endpoints: &Endpoints) -> Result<Self, StorageError> {
        let client = Self {
            channels: channels(endpoints)?,
            current: AtomicUsize::new(0),
            revision: AtomicU64::new(0),
        };
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match client.status().await {
                Ok(status) => {
                    tracing::info!(servers = ?endpoints.servers, version = status.version, "connected to etcd");
                    return Ok(client);
                }
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(error) => tracing::debug!(%error, "etcd does not answer yet"),
            }
            tokio::time::sleep(START_PAUSE).await;
        }
    }

    async fn status(&self) -> Result<StatusResponse, StorageError> {
        let path = PathAndQuery::from_static("/etcdserverpb.Maintenance/Status");
        let answer = self.unary(path, Empty {}, Repeat::Safe).await;
        answer.map_err(|status| failure(&status))
    }

    /// Notes the revision in the header of an answer.
    pub(super) fn saw_revision(&self, revision: u64) {
        self.revision.fetch_max(revision, Ordering::AcqRel);
    }

    /// The newest revision that any answer told.
    pub(super) fn seen_revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// A call with one answer.
    pub(super) async fn unary<Q, A>(&self, path: PathAndQuery, request: Q, repeat: Repeat) -> Result<A, Status>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut tries = self.channels.len() + 1;
        loop {
            let (index, mut grpc) = self.grpc()?;
            let call = async {
                grpc.ready().await.map_err(|error| not_ready(&error))?;
                let codec = ProstCodec::<Q, A>::default();
                grpc.unary(Request::new(request.clone()), path.clone(), codec).await
            };
            let answer = match tokio::time::timeout(CALL_TIMEOUT, call).await {
                Ok(answer) => answer.map(tonic::Response::into_inner),
                Err(_) => Err(Status::deadline_exceeded("context deadline exceeded")),
            };
            tries -= 1;
            match answer {
                Err(status) if tries > 0 && may_repeat(&status, repeat) => self.leave(index),
                answer => return answer,
            }
        }
    }

    /// Opens a stream of watches. Comes back when the first answer is there, so a request must be waiting already.
    pub(super) async fn watch(
        &self,
        requests: UnboundedReceiver<WatchRequest>,
    ) -> Result<Streaming<WatchResponse>, Status> {
        let (index, mut grpc) = self.grpc()?;
        let requests = futures::stream::unfold(requests, |mut requests| async move {
            let request = requests.recv().await?;
            Some((request, requests))
        });
        let mut request = Request::new(requests);
        // Without a leader, a watch shall end and not wait.
        let yes = MetadataValue::from_static("true");
        request.metadata_mut().insert("hasleader", yes);
        let open = async {
            grpc.ready().await.map_err(|error| not_ready(&error))?;
            let codec = ProstCodec::<WatchRequest, WatchResponse>::default();
            let path = PathAndQuery::from_static("/etcdserverpb.Watch/Watch");
            grpc.streaming(request, path, codec).await
        };
        let opened = match tokio::time::timeout(CALL_TIMEOUT, open).await {
            Ok(opened) => opened.map(tonic::Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded("context deadline exceeded")),
        };
        opened.inspect_err(|_| self.leave(index))
    }

    fn grpc(&self) -> Result<(usize, Grpc<Channel>), Status> {
        let index = self.current.load(Ordering::Relaxed);
        let channel = index
            .checked_rem(self.channels.len())
            .and_then(|index| self.channels.get(index));
        let channel = channel.ok_or_else(|| Status::unavailable("there is no endpoint"))?;
        let grpc = Grpc::new(channel.clone()).max_decoding_message_size(usize::MAX);
        Ok((index, grpc))
    }

    /// Goes on to the next endpoint, unless another call has done so.
    fn leave(&self, index: usize) {
        let next = index.wrapping_add(1);
        let _ = self
            .current
            .compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

fn channels(endpoints: &Endpoints) -> Result<Vec<Channel>, StorageError> {
    let tls = tls(endpoints)?;
    let servers = endpoints.servers.iter().map(|server| {
        let url = match server.contains("://") {
            true => server.clone(),
            false => format!("http://{server}"),
        };
        let wrong = |error: &tonic::transport::Error| StorageError::Backend {
            doing: format!("connect to etcd at {server}"),
            reason: with_causes(error),
        };
        let mut endpoint = Endpoint::from_shared(url.clone())
            .map_err(|error| wrong(&error))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        if url.starts_with("https:") {
            endpoint = endpoint.tls_config(tls.clone()).map_err(|error| wrong(&error))?;
        }
        Ok(endpoint.connect_lazy())
    });
    servers.collect()
}

fn tls(endpoints: &Endpoints) -> Result<ClientTlsConfig, StorageError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| StorageError::Backend {
            doing: format!("read {}", path.display()),
            reason: error.to_string(),
        })
    };
    let mut tls = ClientTlsConfig::new();
    tls = match &endpoints.ca_file {
        Some(path) => tls.ca_certificate(Certificate::from_pem(read(path)?)),
        None => tls.with_enabled_roots(),
    };
    if let (Some(certificate), Some(key)) = (&endpoints.cert_file, &endpoints.key_file) {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(tls)
}

fn not_ready(error: &tonic::transport::Error) -> Status {
    Status::unavailable(with_causes(error))
}

fn may_repeat(status: &Status, repeat: Repeat) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    repeat == Repeat::Safe && matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
}

/// What a failed call means where its arguments make no difference.
pub(super) fn failure(status: &Status) -> StorageError {
    let message = status.message();
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => {
            let reason = status.source().map_or_else(|| message.to_owned(), with_causes);
            StorageError::Unavailable { reason }
        }
        _ if message.starts_with("etcdserver: ") => StorageError::Refused(message.to_owned()),
        code => StorageError::Refused(format!("rpc error: code = {code:?} desc = {message}")),
    }
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
