//! Subresources that another server answers: logs and streams of a pod by its kubelet, and proxied requests.

mod locations;
mod path;
mod pod_streams;
mod proxied;

use super::call::Call;
use crate::generic::request::{Request, Response};
use crate::proxy::Backends;
use crate::status::ApiError;

/// Whether a request is for one of these.
pub(crate) fn is_connect(call: &Call<'_>) -> bool {
    let resource = call.resource.info();
    match (&*resource.group, &*resource.resource, call.info.subresource.as_str()) {
        ("", "pods", "log" | "exec" | "attach" | "portforward") => call.info.parts.len() == 3,
        ("", "pods" | "services" | "nodes", "proxy") => true,
        _ => false,
    }
}

/// Hands the request to the server that can answer it.
pub(crate) async fn connect(call: &Call<'_>, backends: &Backends, request: Request) -> Result<Response, ApiError> {
    match call.info.subresource.as_str() {
        "proxy" => proxied::proxy(call, backends, request).await,
        "log" => pod_streams::log(call, &backends.kubelets, request).await,
        _ => pod_streams::upgrade(call, &backends.kubelets, request).await,
    }
}
