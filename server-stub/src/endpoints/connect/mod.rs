//! Subresources that another server answers: logs and streams of a pod by its kubelet, and proxied requests.

mod locations;
mod path;
mod pod_streams;
mod proxied;

use kubewire_client::Gvk;
use serde_json::{Value, json};

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
    if call.info.subresource != "log" {
        let admission = call.connect_admission();
        if admission.is_some() {
            admission.connect(options(call, request.uri().path())).await?;
        }
    }
    match call.info.subresource.as_str() {
        "proxy" => proxied::proxy(call, backends, request).await,
        "log" => pod_streams::log(call, &backends.kubelets, request).await,
        _ => pod_streams::upgrade(call, &backends.kubelets, request).await,
    }
}

/// What the client wants of the connection, as an object that admission is asked about.
fn options(call: &Call<'_>, uri_path: &str) -> Value {
    let (query, subresource) = (&call.query, call.info.subresource.as_str());
    let kind = call
        .body_kind()
        .map_or_else(|_| Gvk::new("", "v1", ""), |kind| kind.gvk());
    let mut options = json!({ "apiVersion": kind.api_version(), "kind": kind.kind });
    match subresource {
        "exec" | "attach" => {
            for name in ["stdin", "stdout", "stderr", "tty"] {
                if query.switch(name) == Some(true) {
                    options[name] = true.into();
                }
            }
            if let Some(container) = query.text("container") {
                options["container"] = container.into();
            }
            if subresource == "exec" {
                let command = query.all("command");
                options["command"] = if command.is_empty() {
                    Value::Null
                } else {
                    command.into()
                };
            }
        }
        "portforward" => {
            let ports = query.all("ports");
            let ports: Vec<i32> = ports.into_iter().filter_map(|port| port.parse().ok()).collect();
            if !ports.is_empty() {
                options["ports"] = ports.into();
            }
        }
        _ => {
            let (_, behind) = path::split(call.info, uri_path);
            if !behind.is_empty() {
                options["path"] = behind.into();
            }
        }
    }
    options
}
