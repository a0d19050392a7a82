//! Requests for what runs in the cluster: `nodes/proxy`, `pods/proxy`, `services/proxy`.

use http::header::{HOST, HeaderName, HeaderValue, LOCATION};
use http::{Method, StatusCode};

use super::super::call::Call;
use super::locations;
use super::path;
use crate::generic::request::{Request, Response, empty};
use crate::proxy::{self, Backends, ProxyError};
use crate::status::ApiError;

const CORS_HEADERS: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-max-age",
];

/// Sends a request to a node, a pod or a service, and answers with what comes back.
pub(super) async fn proxy(call: &Call<'_>, backends: &Backends, mut request: Request) -> Result<Response, ApiError> {
    let location = match &*call.resource.info().resource {
        "nodes" => locations::node(call, &backends.kubelets).await?,
        "pods" => locations::pod(call).await?,
        _ => locations::service(call).await?,
    };
    let (own, behind) = path::split(call.info, request.uri().path());
    let query = request
        .uri()
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let is_upgrade = request.headers().contains_key(http::header::UPGRADE);
    if behind.is_empty() && !is_upgrade && matches!(*request.method(), Method::GET | Method::HEAD) {
        // Relative links of the page would lead out of it.
        return redirect(&format!("{own}/{query}"));
    }
    let url = location.url(&format!("{}{query}", if behind.is_empty() { "/" } else { behind }))?;
    let own = own.to_owned();
    say_where_from(&mut request);
    let transport = match location.kubelet {
        true => &backends.kubelets.transport,
        false => &backends.pods_and_services,
    };
    let answer = proxy::forward(request, url.clone(), transport).await;
    let mut answer = answer.map_err(|error| match error {
        ProxyError::NotUpgraded(_) => ApiError::unclassified(error.to_string()),
        _ => ApiError::service_unavailable(error.to_string()),
    })?;
    // Nobody but this server speaks about other origins.
    for name in CORS_HEADERS {
        answer.headers_mut().remove(name);
    }
    Ok(proxy::lead_back(answer, &url, &own))
}

/// Tells the other side how the client sees it.
fn say_where_from(request: &mut Request) {
    let uri = HeaderValue::from_str(request.uri().path());
    let host = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let headers = request.headers_mut();
    if let Ok(uri) = uri {
        headers.insert(HeaderName::from_static("x-forwarded-uri"), uri);
    }
    if let Some(host) = host.and_then(|host| HeaderValue::try_from(host).ok()) {
        headers.insert(HOST, host);
    }
}

fn redirect(location: &str) -> Result<Response, ApiError> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let location = HeaderValue::from_str(location).map_err(ApiError::internal)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}
