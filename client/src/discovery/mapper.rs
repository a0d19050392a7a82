//! From kinds and words to resources.

use tokio::sync::RwLock;
use tokio::time::{Duration, Instant};

use super::{ApiCatalog, DiscoveredResource, Discovery};
use crate::dynamic::ApiResource;
use crate::error::Error;
use crate::resource::{Gvk, Gvr};

/// How often a question that has no answer may make the mapper ask the server anew.
const REFRESH_AFTER: Duration = Duration::from_secs(1);

/// Finds the resource of a kind, or of what a user typed.
///
/// What the server serves is asked for with the first question, and again when a question has no answer: the resource
/// may be new. [`reset`](RestMapper::reset) forgets everything.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let client = server.clientset().client().clone();
/// use kubewire_client::discovery::{Discovery, RestMapper};
///
/// let mapper = RestMapper::new(Discovery::new(client));
/// assert_eq!(mapper.resource_for_argument("deploy").await?.gvr.to_string(), "apps/v1, Resource=deployments");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RestMapper {
    discovery: Discovery,
    known: RwLock<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    catalog: ApiCatalog,
    at: Instant,
}

/// A question that has no single answer, or that could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapperError {
    /// No resource holds objects of this kind.
    #[error("the server has no resource for {0}")]
    NoKind(Gvk),
    /// No resource is called so.
    #[error("the server doesn't have a resource type {0:?}")]
    NoResource(String),
    /// The server could not be asked.
    #[error(transparent)]
    Request(#[from] Error),
}

impl RestMapper {
    /// A mapper that knows nothing yet.
    pub fn new(discovery: Discovery) -> Self {
        Self {
            discovery,
            known: RwLock::new(None),
        }
    }

    /// The resource that holds objects of this kind; with an empty version, in the version that the server prefers.
    pub async fn resource_for_kind(&self, gvk: &Gvk) -> Result<ApiResource, MapperError> {
        let find = |catalog: &ApiCatalog| {
            let mut of_kind = catalog.resources().filter(|found| {
                let gvr = &found.resource.gvr;
                found.resource.kind == gvk.kind
                    && gvr.group == gvk.group
                    && (gvk.version.is_empty() || gvr.version == gvk.version)
            });
            of_kind.next().map(|found| found.resource.clone())
        };
        self.find(find).await?.ok_or_else(|| MapperError::NoKind(gvk.clone()))
    }

    /// The resource that a user means by `pods`, `po`, `pod`, `Pod`, `deployments.apps` or `deployments.v1.apps`.
    ///
    /// Where several match, the earlier group and the preferred version win, as with `kubectl`.
    pub async fn resource_for_argument(&self, argument: &str) -> Result<ApiResource, MapperError> {
        self.find(|catalog| best(catalog, argument))
            .await?
            .ok_or_else(|| MapperError::NoResource(argument.to_owned()))
    }

    /// Forgets everything, also what the [`Discovery`] remembers.
    pub async fn reset(&self) {
        *self.known.write().await = None;
        self.discovery.reset().await;
    }

    async fn find(&self, find: impl Fn(&ApiCatalog) -> Option<ApiResource>) -> Result<Option<ApiResource>, Error> {
        let asked_at = match &*self.known.read().await {
            Some(known) => match find(&known.catalog) {
                Some(found) => return Ok(Some(found)),
                None => Some(known.at),
            },
            None => None,
        };
        let mut known = self.known.write().await;
        let outdated = match &*known {
            None => true,
            // Somebody else may have asked while this call waited.
            Some(known) => Some(known.at) == asked_at && known.at.elapsed() >= REFRESH_AFTER,
        };
        if outdated {
            *known = Some(Known {
                catalog: self.discovery.catalog().await?,
                at: Instant::now(),
            });
        }
        Ok(known.as_ref().and_then(|known| find(&known.catalog)))
    }
}

/// The argument is `name`, `name.group` or `name.version.group`; names without dots match best.
fn best(catalog: &ApiCatalog, argument: &str) -> Option<ApiResource> {
    let argument = argument.to_lowercase();
    let (name, rest) = argument.split_once('.').unwrap_or((&argument, ""));
    let (version, group) = rest.split_once('.').unwrap_or(("", rest));
    let named: Vec<&DiscoveredResource> = [is_plural as fn(&DiscoveredResource, &str) -> bool, is_other_name]
        .iter()
        .flat_map(|matches| catalog.resources().filter(|found| matches(found, name)))
        .collect();
    let find = |matches: &dyn Fn(&Gvr) -> bool| {
        let found = named.iter().find(|found| matches(&found.resource.gvr));
        found.map(|found| found.resource.clone())
    };
    // A group may be given by its beginning: `deployments.app` means `apps`.
    find(&|gvr| !version.is_empty() && gvr.version == version && gvr.group == group)
        .or_else(|| find(&|gvr| rest.is_empty() || gvr.group == rest))
        .or_else(|| find(&|gvr| gvr.group.is_empty() && gvr.version == rest))
        .or_else(|| find(&|gvr| gvr.group.starts_with(rest)))
}

fn is_plural(found: &DiscoveredResource, name: &str) -> bool {
    found.resource.gvr.resource == name
}

fn is_other_name(found: &DiscoveredResource, name: &str) -> bool {
    found.singular == name
        || found.short_names.iter().any(|short| short == name)
        || found.resource.kind.eq_ignore_ascii_case(name)
}
