//! `/apis/<group>` over all servers, and the way to the servers elsewhere.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http::StatusCode;
use http::uri::Scheme;

use super::api_services::ApiServices;
use super::discovery::Groups;
use super::remote_service::RemoteService;
use super::service_resolver::ServiceResolver;
use crate::generic::delegation::{DelegationTarget, Handler, text};
use crate::generic::request::{Request, RequestInfo, Response, UserInfo};
use crate::proxy;
use kubewire_informers::workqueue::WorkQueue;

/// Serves `/apis/<group>`, hands requests for groups elsewhere to their servers, and passes on the rest.
pub(super) struct ProxyHandler {
    pub(super) groups: Arc<Groups>,
    pub(super) services: Arc<ApiServices>,
    pub(super) resolver: Arc<OnceLock<ServiceResolver>>,
    /// APIServices whose server is to be looked at.
    pub(super) suspects: WorkQueue<String>,
    pub(super) delegate: Arc<dyn DelegationTarget>,
}

#[async_trait]
impl Handler for ProxyHandler {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        let pieces: Vec<&str> = info.path.trim_matches('/').split('/').collect();
        match pieces.as_slice() {
            ["apis", group] => match self.groups.serve_group(group, &request) {
                Some(response) => response,
                None => self.delegate.handle(request).await,
            },
            ["apis", group, version, ..] => match self.services.remote(group, version) {
                Some(service) => self.proxy(&service, format!("{version}.{group}"), request).await,
                None => self.delegate.handle(request).await,
            },
            _ => self.delegate.handle(request).await,
        }
    }
}

impl ProxyHandler {
    async fn proxy(&self, service: &RemoteService, api_service: String, mut request: Request) -> Response {
        let unavailable = || text(StatusCode::SERVICE_UNAVAILABLE, "service unavailable\n");
        let (namespace, name, port) = service.service();
        let server = match self.resolver.get() {
            Some(resolver) if service.is_available() => resolver.resolve(namespace, name, port),
            _ => return unavailable(),
        };
        let (Ok((host, port)), Ok(transport)) = (server, service.transport()) else {
            return unavailable();
        };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let url = match proxy::server_url(Scheme::HTTPS, &host, port, path) {
            Ok(url) => url,
            Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        };
        let user = UserInfo::of(&request);
        proxy::add_user(request.headers_mut(), &user);
        match proxy::forward(request, url, transport).await {
            Ok(response) => response,
            Err(error) => {
                self.suspects.add(api_service);
                text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))
            }
        }
    }
}
