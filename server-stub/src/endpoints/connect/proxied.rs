//! Requests for what runs in the cluster: `nodes/proxy`, `pods/proxy`, `services/proxy`.

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, LOCATION};
use http::{Method, StatusCode, Uri};

use super::super::call::Call;
use super::locations;
use super::path;
use crate::generic::request::{Request, Response, empty};
use crate::proxy::{self, Backends};
use crate::status::ApiError;

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
    let mut answer = proxy::forward(request, url.clone(), transport)
        .await
        .map_err(|error| ApiError::service_unavailable(error.to_string()))?;
    lead_back(answer.headers_mut(), &url, &own);
    Ok(answer)
}

/// Tells the other side how the client sees it.
fn say_where_from(request: &mut Request) {
    let uri = HeaderValue::from_str(request.uri().path());
    let host = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = host.and_then(|host| HeaderValue::from_str(&host).ok());
    let host = host.or_else(|| request.headers().get(HOST).cloned());
    let headers = request.headers_mut();
    if let Ok(uri) = uri {
        headers.insert(HeaderName::from_static("x-forwarded-uri"), uri);
    }
    if let Some(host) = host {
        headers.insert(HeaderName::from_static("x-forwarded-host"), host);
    }
    headers.insert(
        HeaderName::from_static("x-forwarded-proto"),
        HeaderValue::from_static("https"),
    );
}

/// Turns redirects within the other server into redirects within the proxied path, and keeps it from speaking for this
/// server about other origins.
fn lead_back(headers: &mut HeaderMap, url: &Uri, own: &str) {
    for name in ["origin", "methods", "headers", "credentials"] {
        headers.remove(format!("access-control-allow-{name}"));
    }
    headers.remove("access-control-expose-headers");
    headers.remove("access-control-max-age");
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(location) = location.and_then(|location| location.parse::<Uri>().ok()) else {
        return;
    };
    let same_server = location
        .authority()
        .is_none_or(|authority| Some(authority) == url.authority());
    let path = location.path_and_query().map_or("/", |path| path.as_str());
    if same_server
        && path.starts_with('/')
        && let Ok(location) = HeaderValue::from_str(&format!("{own}{path}"))
    {
        headers.insert(LOCATION, location);
    }
}

fn redirect(location: &str) -> Result<Response, ApiError> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let location = HeaderValue::from_str(location).map_err(ApiError::internal)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_within_the_proxied_path() {
        let url: Uri = "http://10.0.0.1:8080/a".parse().unwrap();
        for (given, expected) in [
            ("/login?next=a", "/api/v1/nodes/n/proxy/login?next=a"),
            ("http://10.0.0.1:8080/b", "/api/v1/nodes/n/proxy/b"),
            ("https://example.com/c", "https://example.com/c"),
        ] {
            let mut headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(given))]);
            lead_back(&mut headers, &url, "/api/v1/nodes/n/proxy");
            assert_eq!(headers[LOCATION], expected);
        }
    }
}
