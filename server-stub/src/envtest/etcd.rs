//! A stand-in for etcd, for tools that start one beside the API server and wait until it is healthy. It keeps nothing:
//! an API server of ours that finds it at `--etcd-servers` keeps its objects itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{HeaderName, HeaderValue};
use http::{StatusCode, Uri};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::app::flags::{FlagError, NamedFlagSets};
use crate::generic::delegation::{Handler, text};
use crate::generic::request::{Request, Response};
use crate::generic::respond;
use crate::generic::serving::{Serving, ServingError};

const ABOUT: &str = "A stand-in for etcd: it says that it is healthy and keeps nothing. The API server of the same \
program keeps\nits objects itself when it finds the stand-in at --etcd-servers.";

/// Every answer of the stand-in has it.
const STAND_IN: HeaderName = HeaderName::from_static("x-kubewire-stand-in");

/// The options of the stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// URLs to listen on. Default `http://localhost:2379`.
    pub listen_client_urls: Vec<String>,
    /// Print the help and end.
    pub help: bool,
    /// Print the version and end.
    pub version: bool,
    others: Vec<String>,
    switches: Vec<bool>,
}

/// What is accepted and makes no difference.
const OTHERS: [&str; 16] = [
    "advertise-client-urls",
    "auto-compaction-mode",
    "auto-compaction-retention",
    "data-dir",
    "initial-advertise-peer-urls",
    "initial-cluster",
    "initial-cluster-state",
    "initial-cluster-token",
    "listen-metrics-urls",
    "listen-peer-urls",
    "log-level",
    "log-outputs",
    "logger",
    "name",
    "quota-backend-bytes",
    "snapshot-count",
];

const SWITCHES: [&str; 3] = ["enable-v2", "pre-vote", "unsafe-no-fsync"];

impl Default for Options {
    fn default() -> Self {
        Self {
            listen_client_urls: vec!["http://localhost:2379".to_owned()],
            help: false,
            version: false,
            others: vec![String::new(); OTHERS.len()],
            switches: vec![false; SWITCHES.len()],
        }
    }
}

/// Why the stand-in does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdError {
    /// A URL that cannot be listened on.
    #[error("--listen-client-urls: {0:?} is not http://host:port")]
    Url(String),
    /// The host has no address.
    #[error("find the address of {host}")]
    Lookup {
        /// The host and port.
        host: String,
        /// Why.
        source: std::io::Error,
    },
    /// The port cannot be had.
    #[error(transparent)]
    Serving(#[from] ServingError),
}

impl Options {
    /// Reads the arguments that follow the program's name.
    ///
    /// # Errors
    /// The first argument that cannot be read.
    pub fn from_args(arguments: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, FlagError> {
        let mut options = Self::default();
        options.flags().parse("etcd", arguments.into_iter().map(Into::into))?;
        Ok(options)
    }

    /// The help text.
    pub fn help() -> String {
        Self::default().flags().help(ABOUT, "etcd [flags]")
    }

    fn flags(&mut self) -> NamedFlagSets<'_> {
        let mut flags = NamedFlagSets::default();
        let member = flags.group("member");
        member.add(
            "listen-client-urls",
            &mut self.listen_client_urls,
            "URLs to listen on for /health and /version.",
        );
        for (name, value) in OTHERS.iter().zip(&mut self.others) {
            member.add(name, value, "Accepted without effect.");
        }
        for (name, value) in SWITCHES.iter().zip(&mut self.switches) {
            member.add(name, value, "Accepted without effect.");
        }
        member.add_short("help", 'h', &mut self.help, "help for etcd");
        member.add("version", &mut self.version, "Prints the version and ends.");
        flags
    }

    /// Serves until `stop`.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), EtcdError> {
        let mut servers = Vec::new();
        for url in &self.listen_client_urls {
            let host = plain_host(url).ok_or_else(|| EtcdError::Url(url.clone()))?;
            let found = tokio::net::lookup_host(host.clone()).await;
            let addresses: Vec<SocketAddr> = found.map_err(|source| EtcdError::Lookup { host, source })?.collect();
            for address in addresses {
                servers.push(Serving::bind_insecure(address).await?);
                tracing::info!(%address, "serving client traffic");
            }
        }
        let handler: Arc<dyn Handler> = Arc::new(StandIn);
        // Nobody's answers are worth waiting for.
        let serve = |server: Serving| server.serve(handler.clone(), stop.clone(), stop.clone());
        futures::future::join_all(servers.into_iter().map(serve)).await;
        Ok(())
    }
}

struct StandIn;

#[async_trait]
impl Handler for StandIn {
    async fn handle(&self, request: Request) -> Response {
        let json =
            |value: serde_json::Value| respond::bytes(StatusCode::OK, "application/json", value.to_string().into());
        let mut response = match request.uri().path() {
            "/health" | "/livez" | "/readyz" => json(json!({ "health": "true", "reason": "" })),
            "/version" => json(json!({ "etcdserver": VERSION, "etcdcluster": "3.6.0", "storage": "3.6.0" })),
            _ => text(StatusCode::NOT_FOUND, "404 page not found\n"),
        };
        response
            .headers_mut()
            .insert(STAND_IN, HeaderValue::from_static("etcd"));
        response
    }
}

/// The release whose flags the stand-in knows.
pub const VERSION: &str = "3.6.16";

/// Whether the stand-in answers at a URL. Nobody answering, or somebody else, is no; TLS is somebody else.
pub async fn is_stand_in(url: &str) -> bool {
    const PATIENCE: Duration = Duration::from_secs(2);
    let Some(host) = plain_host(url) else { return false };
    let head = tokio::time::timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(&host).await?;
        let request = format!("GET /version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).to_ascii_lowercase())
    });
    let Ok(Ok(head)) = head.await else { return false };
    head.lines().any(|line| line.starts_with(STAND_IN.as_str()))
}

/// Host and port of a URL without TLS.
fn plain_host(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http"))?;
    Some(format!("{host}:{}", uri.port_u16().unwrap_or(80)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_envtest_passes() {
        let options = Options::from_args([
            "--listen-peer-urls=http://127.0.0.1:1",
            "--data-dir=/tmp/x",
            "--advertise-client-urls=http://127.0.0.1:2",
            "--listen-client-urls=http://127.0.0.1:2",
            "--unsafe-no-fsync=true",
        ]);
        assert_eq!(options.unwrap().listen_client_urls, ["http://127.0.0.1:2"]);
        assert!(Options::help().contains("--unsafe-no-fsync"));
        assert_eq!(
            Options::from_args(["--nosuch"]).unwrap_err().to_string(),
            "unknown flag: --nosuch"
        );
    }

    #[tokio::test]
    async fn says_what_it_is() {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let url = format!("http://127.0.0.1:{port}");
        assert!(!is_stand_in(&url).await);
        let stop = CancellationToken::new();
        let options = Options::from_args([format!("--listen-client-urls={url}")]).unwrap();
        let (running, ended) = (stop.clone(), CancellationToken::new());
        let done = ended.clone().drop_guard();
        tokio::spawn(async move {
            let _done = done;
            options.run(running).await.unwrap();
        });
        while !is_stand_in(&url).await {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        ended.cancelled().await;
        let wrong = Options::from_args(["--listen-client-urls=https://127.0.0.1:1"]).unwrap();
        assert!(matches!(
            wrong.run(CancellationToken::new()).await,
            Err(EtcdError::Url(_))
        ));
    }
}
