//! What a server serves: groups, versions and resources ([`Discovery`]), and which resource a kind or a word on a
//! command line means ([`RestMapper`]).

mod aggregated;
mod catalog;
mod legacy;
mod mapper;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

pub use catalog::{ApiCatalog, ApiGroup, ApiVersion, DiscoveredResource, Subresource};
pub use mapper::{MapperError, RestMapper};

use crate::error::{Doing, Error};
use crate::rest::{Client, Request, Verb};
use crate::wire::WireError;

/// Asks for the aggregated form (KEP-3352), and takes the old one from servers that do not know it.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
                      application/json";

/// Finds out what a server serves, and remembers it for as long as the server says that nothing changed.
///
/// The aggregated documents cost two requests, and two short ones later (`ETag`). Older servers are asked group by
/// group. Cloning is cheap and shares what is remembered.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let client = server.clientset().client().clone();
/// use kubewire_client::{Gvr, discovery::Discovery};
///
/// let discovery = Discovery::new(client);
/// println!("server {}", discovery.server_version().await?.git_version);
/// let catalog = discovery.catalog().await?;
/// assert!(catalog.serves(&Gvr::new("apps", "v1", "deployments")));
/// assert!(!catalog.serves(&Gvr::new("gateway.networking.k8s.io", "v1", "httproutes")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Discovery {
    client: Client,
    /// The documents of `/api` and `/apis`.
    remembered: Arc<Mutex<[Option<Document>; 2]>>,
}

/// One document, and the tag that tells whether it is still true.
#[derive(Clone, Debug)]
struct Document {
    etag: HeaderValue,
    groups: Vec<ApiGroup>,
}

/// What a server says of itself at `/version`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ServerVersion {
    /// Major version of the API, as `1`.
    pub major: String,
    /// Minor version of the API, as `33`; may end in `+`.
    pub minor: String,
    /// The full version, as `v1.33.1`.
    pub git_version: String,
    /// The commit that was built.
    pub git_commit: String,
    /// When it was built.
    pub build_date: String,
    /// Operating system and architecture, as `linux/amd64`.
    pub platform: String,
}

impl Discovery {
    /// Discovery through this client. Nothing is asked yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            remembered: Arc::default(),
        }
    }

    /// The client that asks.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the server says of itself.
    pub async fn server_version(&self) -> Result<ServerVersion, Error> {
        let request = Request::new(Verb::Get, "/version", "the server's version").json_only();
        read_json(&self.client, request).await
    }

    /// Everything that the server serves now.
    ///
    /// A group whose server is down is in it with what was known of it last, marked as not
    /// [fresh](ApiVersion::fresh).
    pub async fn catalog(&self) -> Result<ApiCatalog, Error> {
        // Held while asking, so that many callers at once cost the server one answer.
        let mut remembered = self.remembered.lock().await;
        let mut groups = Vec::new();
        for (document, root) in remembered.iter_mut().zip(["/api", "/apis"]) {
            groups.extend(self.groups(root, document).await?);
        }
        Ok(ApiCatalog::new(groups))
    }

    /// Forgets everything: the next question goes to the server in full.
    pub async fn reset(&self) {
        *self.remembered.lock().await = [None, None];
    }

    async fn groups(&self, root: &str, remembered: &mut Option<Document>) -> Result<Vec<ApiGroup>, Error> {
        let mut request = Request::new(Verb::Get, root, format!("the API groups at {root}")).accept(ACCEPT);
        if let Some(document) = &*remembered {
            request = request.header(header::IF_NONE_MATCH, document.etag.clone());
        }
        let response = self.client.send_whole(request.clone()).await?;
        if let (StatusCode::NOT_MODIFIED, Some(document)) = (response.status(), &*remembered) {
            return Ok(document.groups.clone());
        }
        let etag = response.headers().get(header::ETAG).cloned();
        let text = response.bytes().await?;
        let unreadable = |error| Error::wire(&request, WireError::Json(error));
        let kind: Kind = serde_json::from_slice(&text).map_err(unreadable)?;
        *remembered = None;
        match kind.kind.as_str() {
            "APIGroupDiscoveryList" => {
                let groups = aggregated::read(&text, &kind.api_version).map_err(unreadable)?;
                *remembered = etag.map(|etag| Document {
                    etag,
                    groups: groups.clone(),
                });
                Ok(groups)
            }
            "APIVersions" => legacy::core(&self.client, &text).await,
            "APIGroupList" => legacy::groups(&self.client, &text).await,
            other => {
                let reason = format!("expected the API groups, got an object of kind {other:?}");
                Err(Error::wire(&request, WireError::value(reason)))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
}

async fn read_json<T: serde::de::DeserializeOwned>(client: &Client, request: Request) -> Result<T, Error> {
    let doing = Doing::from(&request);
    let text = client.send_whole(request).await?.bytes().await?;
    serde_json::from_slice(&text).map_err(|error| Error::wire(doing, WireError::Json(error)))
}
