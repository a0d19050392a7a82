//! A server elsewhere that serves one version of a group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use http::header::{ACCEPT, HeaderValue};
use http::uri::Scheme;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Collected, Limited};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIServiceSpec;
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::Value;

use crate::generic::certificates::KeyPair;
use crate::generic::discovery::ApiResource;
use crate::generic::request::{Request, ResponseBody, UserInfo, empty};
use crate::proxy::{self, DirectDialer, ProxyError, ProxyTls, ProxyTlsError, ProxyTransport, Trust};

/// Longest time for a request of the aggregator itself, as in kube-aggregator.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Longest document that the aggregator reads.
const DOCUMENT_LIMIT: usize = 64 * 1024 * 1024;

/// What is known of the server behind an APIService.
pub(super) struct RemoteService {
    /// What the APIService asks for; another spec makes another `RemoteService`.
    pub(super) spec: APIServiceSpec,
    transport: Result<ProxyTransport, ProxyTlsError>,
    /// Whether the APIService has the condition `Available`.
    available: AtomicBool,
    discovered: RwLock<Discovered>,
}

/// What the server said about its resources.
#[derive(Clone, Debug, Default)]
pub(super) struct Discovered {
    pub(super) resources: Vec<ApiResource>,
    /// The server that was asked.
    server: (String, u16),
    /// The fingerprint of its OpenAPI document, if it has one.
    openapi: Option<String>,
    /// Whether it said so when it was last asked.
    pub(super) current: bool,
}

/// Why a request of the aggregator itself failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{}", text_of(.0))]
    Proxy(#[from] ProxyError),
    #[error("the answer took too long")]
    Timeout,
    #[error("read the answer: {0}")]
    Body(String),
    #[error("bad status from {url}: {status}")]
    Status { url: Uri, status: u16 },
    #[error("{0}")]
    Document(#[from] serde_json::Error),
}

fn text_of(error: &ProxyError) -> String {
    match error {
        ProxyError::Unreachable(why) => why.clone(),
        other => other.to_string(),
    }
}

impl RemoteService {
    pub(super) fn new(spec: APIServiceSpec, identity: &KeyPair) -> Self {
        Self {
            transport: transport(&spec, identity),
            spec,
            available: AtomicBool::new(false),
            discovered: RwLock::default(),
        }
    }

    /// The same server over other connections, on which it is shown this.
    pub(super) fn with_identity(&self, identity: &KeyPair) -> Self {
        Self {
            transport: transport(&self.spec, identity),
            spec: self.spec.clone(),
            available: AtomicBool::new(self.is_available()),
            discovered: RwLock::new(self.discovered()),
        }
    }

    /// Namespace, name and port of the service.
    pub(super) fn service(&self) -> (&str, &str, i32) {
        let service = self.spec.service.as_ref();
        (
            service
                .and_then(|service| service.namespace.as_deref())
                .unwrap_or_default(),
            service.and_then(|service| service.name.as_deref()).unwrap_or_default(),
            service.and_then(|service| service.port).unwrap_or(443),
        )
    }

    pub(super) fn transport(&self) -> Result<&ProxyTransport, &ProxyTlsError> {
        self.transport.as_ref()
    }

    pub(super) fn is_available(&self) -> bool {
        self.available.load(Ordering::Relaxed)
    }

    pub(super) fn set_available(&self, available: bool) {
        self.available.store(available, Ordering::Relaxed);
    }

    pub(super) fn discovered(&self) -> Discovered {
        self.discovered.read().clone()
    }

    /// `apis/<group>/<version>`.
    pub(super) fn path(&self) -> String {
        match (&self.spec.group, &self.spec.version) {
            (Some(group), Some(version)) if !group.is_empty() => format!("apis/{group}/{version}"),
            (_, version) => format!("api/{}", version.as_deref().unwrap_or_default()),
        }
    }

    /// The fingerprint of its OpenAPI document, if it has one.
    pub(super) fn openapi_hash(&self) -> Option<String> {
        self.discovered.read().openapi.clone()
    }

    /// A document from where discovery last found the server; `None` if there is none.
    pub(super) async fn document(&self, path: &str) -> Option<Bytes> {
        let (host, port) = self.discovered.read().server.clone();
        let url = proxy::server_url(Scheme::HTTPS, &host, port, path).ok()?;
        self.fetch(url).await.ok()
    }

    /// What the server says about its version of the group. While it says nothing, what it said before is kept.
    pub(super) async fn discover(&self, server: &(String, u16)) -> Result<(), (Uri, FetchError)> {
        let (host, port) = server;
        let url = proxy::server_url(Scheme::HTTPS, host, *port, &format!("/{}", self.path()))
            .map_err(|error| (Uri::default(), ProxyError::from(error).into()))?;
        let resources = match self.fetch_resources(url.clone()).await {
            Ok(resources) => resources,
            Err(error) => {
                self.discovered.write().current = false;
                return Err((url, error));
            }
        };
        self.discovered.write().server.clone_from(server);
        let openapi = self.fetch_openapi_hash().await;
        *self.discovered.write() = Discovered {
            resources,
            server: server.clone(),
            openapi,
            current: true,
        };
        Ok(())
    }

    /// The fingerprint in the index of the server's OpenAPI documents.
    async fn fetch_openapi_hash(&self) -> Option<String> {
        let index: Value = serde_json::from_slice(&self.document("/openapi/v3").await?).ok()?;
        let url = index["paths"][self.path()]["serverRelativeURL"].as_str()?;
        let (_, hash) = url.split_once("hash=").unwrap_or((url, url));
        Some(hash.chars().filter(char::is_ascii_alphanumeric).collect())
    }

    async fn fetch_resources(&self, url: Uri) -> Result<Vec<ApiResource>, FetchError> {
        #[derive(Deserialize)]
        struct ApiResourceList {
            #[serde(default)]
            resources: Vec<ApiResource>,
        }
        let body = self.fetch(url).await?;
        Ok(serde_json::from_slice::<ApiResourceList>(&body)?.resources)
    }

    /// Gets a JSON document as the aggregator itself.
    pub(super) async fn fetch(&self, url: Uri) -> Result<Bytes, FetchError> {
        let transport = match &self.transport {
            Ok(transport) => transport,
            Err(error) => return Err(ProxyError::Unreachable(error.to_string()).into()),
        };
        let mut request = Request::new(empty());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let user = UserInfo {
            name: "system:kube-aggregator".to_owned(),
            groups: vec!["system:masters".to_owned()],
            ..UserInfo::default()
        };
        proxy::add_user(headers, &user);
        let exchange = async {
            let answer = proxy::forward(request, url.clone(), transport).await?;
            Ok((answer.status(), read(answer.into_body()).await?))
        };
        let (status, body): (StatusCode, Bytes) = match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(answer) => answer.map_err(|error: FetchError| error)?,
            Err(_) => return Err(FetchError::Timeout),
        };
        match status.is_success() {
            true => Ok(body),
            false => Err(FetchError::Status {
                url,
                status: status.as_u16(),
            }),
        }
    }
}

/// The whole body, if it is not too long.
fn read(body: ResponseBody) -> BoxFuture<'static, Result<Bytes, FetchError>> {
    let body = Limited::new(body, DOCUMENT_LIMIT).collect();
    let body = body.map(|body| body.map_err(|error| FetchError::Body(error.to_string())));
    body.map_ok(Collected::to_bytes).boxed()
}

fn transport(spec: &APIServiceSpec, identity: &KeyPair) -> Result<ProxyTransport, ProxyTlsError> {
    let trust = match (&spec.ca_bundle, spec.insecure_skip_tls_verify) {
        (_, Some(true)) => Trust::Anybody,
        (Some(bundle), _) => Trust::Bundle(bundle.0.clone()),
        _ => Trust::System,
    };
    let mut tls = ProxyTls::new(&trust, Some(identity))?;
    if let Some(service) = &spec.service {
        let name = service.name.as_deref().unwrap_or_default();
        let namespace = service.namespace.as_deref().unwrap_or_default();
        tls = tls.with_server_name(&format!("{name}.{namespace}.svc"))?;
    }
    Ok(ProxyTransport::new(Arc::new(DirectDialer), tls))
}
