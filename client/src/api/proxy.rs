//! Requests through the API server to what listens on pods, services and nodes.

use k8s_openapi::api::core::v1::{Node, Pod, Service};

use super::Api;
use crate::error::Error;
use crate::object::Object;
use crate::rest::{Request, Verb};

/// A kind with a `proxy` subresource.
pub trait Proxied: Object {}

impl Proxied for Pod {}
impl Proxied for Service {}
impl Proxied for Node {}

/// Where a request goes: an object, and optionally its port and whether it speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyTarget {
    name: String,
    port: String,
    https: bool,
}

impl ProxyTarget {
    /// The object of this name, at its default port: a pod's first one, a service's only one, a node's kubelet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            port: String::new(),
            https: false,
        }
    }

    /// A port by its number or, of a service, its name.
    #[must_use]
    pub fn with_port(mut self, port: impl ToString) -> Self {
        self.port = port.to_string();
        self
    }

    /// Speaks TLS with the target.
    #[must_use]
    pub fn with_https(mut self) -> Self {
        self.https = true;
        self
    }

    /// `[https:]name[:port]`; a scheme needs the second colon too.
    fn segment(&self) -> String {
        match (self.https, self.port.as_str()) {
            (false, "") => self.name.clone(),
            (false, port) => format!("{}:{port}", self.name),
            (true, port) => format!("https:{}:{port}", self.name),
        }
    }
}

impl<K: Proxied> Api<K> {
    /// A request to a path (and query) of what listens there, to be sent with [`Client::send`](crate::Client::send).
    ///
    /// ```no_run
    /// # async fn example(clientset: kubewire_client::Clientset) -> Result<(), kubewire_client::Error> {
    /// use kubewire_client::{api::ProxyTarget, rest::Verb};
    ///
    /// let services = clientset.core_v1().services("shop");
    /// let request = services.proxy(Verb::Get, &ProxyTarget::new("web").with_port(8080), "/metrics")?;
    /// let metrics = clientset.client().send(request).await?.bytes().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn proxy(&self, verb: Verb, target: &ProxyTarget, path: &str) -> Result<Request, Error> {
        let request = self.endpoint().proxy_request(verb, &target.segment(), path)?;
        Ok(request.accept("*/*"))
    }
}
