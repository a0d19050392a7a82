//! A server inside of a test: started in milliseconds on a free port, gone with the value.

#[cfg(feature = "etcd3")]
mod etcd;

use std::fmt;
use std::path::PathBuf;

#[cfg(feature = "etcd3")]
pub use etcd::{Etcd, EtcdError};
use kubewire_client::{Client, Clientset, config::Config as ClientConfig, transport};
use tokio::task::JoinHandle;

use crate::app::flags::FlagError;
use crate::app::options::InvalidOptions;
use crate::app::{self, AppError};
use crate::generic::InProcess;
use crate::generic::clock::{Clock, Ids};
use crate::generic::lifecycle::LifecycleSignals;
use crate::generic::request::UserInfo;

/// How to start a server.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// The server's time. Default: the computer's.
    pub clock: Clock,
    /// The server's uids and generated names. Default: random.
    pub ids: Ids,
    /// Users beside the administrator, by bearer token.
    pub tokens: Vec<(String, UserInfo)>,
    /// Whether dependents go with their owners, as in a cluster. Default: off, as without kube-controller-manager.
    pub garbage_collection: bool,
    /// The folder where objects are kept, so that another server goes on with them. Default: none, all is in memory.
    pub storage_path: Option<PathBuf>,
    /// URLs of etcd, where objects are kept. Default: none, objects are kept in memory.
    pub etcd_servers: Vec<String>,
    /// Flags of the program, beside what the other options say. Default: none, but privileged containers are allowed,
    /// as controller-runtime's envtest does, and namespaces that are deleted go at once.
    pub flags: Vec<String>,
}

impl Options {
    /// Sets the server's time.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Deletes dependents when their owners go, and does what propagation policies ask for.
    #[must_use]
    pub fn with_garbage_collection(mut self) -> Self {
        self.garbage_collection = true;
        self
    }

    /// Keeps objects in a folder.
    #[must_use]
    pub fn with_storage_path(mut self, folder: impl Into<PathBuf>) -> Self {
        self.storage_path = Some(folder.into());
        self
    }

    /// Keeps objects in etcd, alone or together with other servers.
    #[must_use]
    pub fn with_etcd_servers(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.etcd_servers.extend(urls.into_iter().map(Into::into));
        self
    }

    /// Starts the server with a flag of the program, such as `--enable-admission-plugins=ServiceAccount`.
    #[must_use]
    pub fn with_flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Lets a user in with a bearer token.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>, user: UserInfo) -> Self {
        self.tokens.push((token.into(), user));
        self
    }
}

/// A running server. Dropping it stops it in the background; [`shutdown`](Self::shutdown) waits for the end.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use kubewire_client::{Clientset, ListOptions};
/// use kubewire_server_stub::testing::{Options, Server};
///
/// let server = Server::start(Options::default()).await?;
/// let clientset = Clientset::new(&server.client_config())?;
/// # let _ = (clientset, ListOptions::default());
/// server.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    client_config: ClientConfig,
    kubeconfig: String,
    in_process: InProcess,
    ca_pem: String,
    lifecycle: LifecycleSignals,
    running: Option<JoinHandle<Result<(), AppError>>>,
}

impl Server {
    /// Starts a server on a free port of the loopback address and waits until it is ready.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start(options: Options) -> Result<Self, AppError> {
        let wrong = |error: FlagError| InvalidOptions(vec![error.to_string()]);
        let own = ["--allow-privileged=true", "--namespace-deletion-grace-period=0s"];
        let flags = own.map(str::to_owned).into_iter().chain(options.flags);
        let mut app_options = app::Options::from_args(flags).map_err(wrong)?;
        app_options.secure_serving.any_free_port = true;
        app_options.authentication.tokens = options.tokens;
        app_options.storage.etcd.etcd_servers = options.etcd_servers;
        if options.garbage_collection {
            let name = "garbage-collector-controller".to_owned();
            app_options.controllers.controllers.push(name);
        }
        app_options.storage.storage_path = options.storage_path;
        let server = app::Server::prepare(&app_options, options.clock, options.ids).await?;
        let lifecycle = server.lifecycle().clone();
        let mut started = Self {
            client_config: server.client_config(),
            kubeconfig: server.kubeconfig(),
            in_process: server.in_process()?,
            ca_pem: server.ca_pem().to_owned(),
            lifecycle: lifecycle.clone(),
            running: Some(tokio::spawn(server.run())),
        };
        tokio::select! {
            () = lifecycle.has_been_ready.cancelled() => Ok(started),
            // It only ends before it is ready if it failed.
            () = lifecycle.in_flight_requests_drained.cancelled() => started.stop().await.map(|()| started),
        }
    }

    /// A client's configuration for an administrator.
    pub fn client_config(&self) -> ClientConfig {
        self.client_config.clone()
    }

    /// The server without a network, for an administrator: see [`InProcess`] for other users, and for what can stand
    /// between it and a client.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use kubewire_client::{Client, rest, transport};
    /// use kubewire_server_stub::testing::{Options, Server};
    ///
    /// let server = Server::start(Options::default()).await?;
    /// let client = Client::with_transport(transport::from_service(server.in_process()));
    /// let request = rest::Request::new(rest::Verb::Get, "/version", "the version").json_only();
    /// assert!(client.send(request).await?.bytes().await?.starts_with(b"{"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_process(&self) -> InProcess {
        self.in_process.clone()
    }

    /// A client for an administrator that uses no network, but sends and receives what any client does.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use kubewire_client::ListOptions;
    /// use kubewire_server_stub::testing::{Options, Server};
    ///
    /// let server = Server::start(Options::default()).await?;
    /// let namespaces = server.clientset().core_v1().namespaces().list(&ListOptions::default()).await?;
    /// assert!(!namespaces.items.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn clientset(&self) -> Clientset {
        Clientset::from_client(Client::with_transport(transport::from_service(self.in_process())))
    }

    /// A kubeconfig file for an administrator.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.client_config.server
    }

    /// What clients have to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The moments in the server's life.
    pub fn lifecycle(&self) -> &LifecycleSignals {
        &self.lifecycle
    }

    /// Stops the server and waits until every connection and task has ended.
    ///
    /// # Errors
    /// What went wrong in the server, if anything did.
    pub async fn shutdown(mut self) -> Result<(), AppError> {
        self.stop().await
    }

    async fn stop(&mut self) -> Result<(), AppError> {
        self.lifecycle.shutdown_initiated.cancel();
        match self.running.take() {
            // A panic in the server's main task shows up in its own output.
            Some(running) => running.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.lifecycle.shutdown_initiated.cancel();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.url())
    }
}
