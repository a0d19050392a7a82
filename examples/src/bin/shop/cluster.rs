//! Where the shop runs: a server inside this program, or a cluster that exists.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kubewire_client::{Api, Client, Config, ListOptions};
use kubewire_server_stub::testing::{Options, Server};

use crate::args::Args;
use crate::error::Error;
use crate::view::human;

pub(crate) struct Cluster {
    client: Client,
    url: String,
    embedded: Option<Embedded>,
}

struct Embedded {
    server: Server,
    start_time: Duration,
}

impl Cluster {
    /// Starts the embedded server, or connects to the cluster that the arguments name.
    pub(crate) async fn connect(args: &Args) -> Result<Self, Error> {
        let unusable = |error: &dyn std::fmt::Display| Error::Cluster(error.to_string());
        let config = match &args.kubeconfig {
            Some(file) => Config::from_kubeconfig_file(file).map_err(|error| unusable(&error))?,
            None if args.current_context => Config::infer().map_err(|error| unusable(&error))?,
            None => return Self::embed().await,
        };
        let url = config.server.to_string();
        let client = Client::new(&config).map_err(Error::Request)?;
        Ok(Self {
            client,
            url,
            embedded: None,
        })
    }

    /// A server on a free port of this machine; its start is over when it has answered a request.
    async fn embed() -> Result<Self, Error> {
        let started = Instant::now();
        let server = Server::start(Options::default())
            .await
            .map_err(|error| Error::Server(error.to_string()))?;
        let client = Client::new(&server.client_config()).map_err(Error::Request)?;
        Api::<Namespace>::new(client.clone())
            .list(&ListOptions::default())
            .await
            .map_err(Error::Request)?;
        let start_time = started.elapsed();
        Ok(Self {
            client,
            url: server.url().to_owned(),
            embedded: Some(Embedded { server, start_time }),
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// From asking for the embedded server to its first answer.
    pub(crate) fn start_time(&self) -> Option<Duration> {
        self.embedded.as_ref().map(|embedded| embedded.start_time)
    }

    pub(crate) fn title(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn greeting(&self) -> String {
        match self.start_time() {
            Some(time) => format!("embedded API server on {}, ready in {}", self.url, human(time)),
            None => format!("API server {}", self.url),
        }
    }

    /// Stops the embedded server and waits for all its tasks.
    pub(crate) async fn shutdown(self) -> Result<(), Error> {
        match self.embedded {
            Some(embedded) => embedded
                .server
                .shutdown()
                .await
                .map_err(|error| Error::Server(error.to_string())),
            None => Ok(()),
        }
    }
}
