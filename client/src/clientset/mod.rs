//! Typed access to every built-in resource.

mod generated;

pub use generated::*;

use crate::config::Config;
use crate::error::Error;
use crate::rest::Client;

/// Accessors for every built-in group and version.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let config = server.client_config();
/// use k8s_openapi::api::core::v1::Namespace;
/// use kubewire_client::{Clientset, ListOptions, WriteOptions};
///
/// let clientset = Clientset::new(&config)?; // or Clientset::try_default(), as kubectl finds its cluster
/// let mut shop = Namespace::default();
/// shop.metadata.name = Some("shop".to_owned());
/// clientset.core_v1().namespaces().create(&shop, &WriteOptions::default()).await?;
/// let deployments = clientset.apps_v1().deployments("shop").list(&ListOptions::default()).await?;
/// println!("{} deployments at version {}", deployments.items.len(), deployments.resource_version);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Clientset {
    client: Client,
}

impl Clientset {
    /// Access by this configuration; connections are made when they are needed.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Client::new(config).map(Self::from_client)
    }

    /// Access by the user's kubeconfig, or by the service account of the pod it runs in.
    pub fn try_default() -> Result<Self, Error> {
        Client::try_default().map(Self::from_client)
    }

    /// Access through a client that exists.
    pub fn from_client(client: Client) -> Self {
        Self { client }
    }

    /// The client behind all accessors.
    pub fn client(&self) -> &Client {
        &self.client
    }
}
