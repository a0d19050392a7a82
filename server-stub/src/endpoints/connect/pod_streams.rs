//! What a kubelet knows of its pods: logs, and streams into containers.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, Uri};
use http_body_util::BodyExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::super::answer::no_protobuf;
use super::super::call::Call;
use super::locations::{self, Location};
use crate::field_error::{FieldError, quote};
use crate::generic::request::{Request, RequestBody, Response, empty};
use crate::proxy::{self, Kubelets, ProxyError};
use crate::status::ApiError;

/// How much of a kubelet's words about an error is passed on.
const ERROR_LIMIT: usize = 50_000;

/// Streams a container's log.
pub(super) async fn log(call: &Call<'_>, kubelets: &Kubelets, request: Request) -> Result<Response, ApiError> {
    let query = &call.query;
    call.accepted().map_err(|_| no_protobuf())?;
    check_log_options(call)?;
    let switches = ["follow", "previous", "timestamps"];
    let set = switches.into_iter().filter(|name| query.switch(name) == Some(true));
    let mut parameters: Vec<(&str, String)> = set.map(|name| (name, "true".to_owned())).collect();
    for name in ["limitBytes", "sinceSeconds", "sinceTime", "tailLines"] {
        parameters.extend(query.text(name).map(|value| (name, value.to_owned())));
    }
    let pod = document(call).await?;
    chosen_container(call, &pod)?;
    if host(call, &pod).is_err() {
        // It has not run anywhere yet.
        let mut nothing = Response::new(empty());
        *nothing.status_mut() = StatusCode::NO_CONTENT;
        return Ok(nothing);
    }
    let (location, path) = container(call, kubelets, "containerLogs").await?;
    let url = url(&location, &path, parameters)?;
    // What the client says about itself is between it and this server.
    let plain = http::Request::new(request.into_body());
    let answer = match proxy::forward(plain, url.clone(), &kubelets.transport).await {
        Ok(answer) => answer,
        Err(ProxyError::Unreachable(why)) => return Err(ApiError::unclassified(format!("Get \"{url}\": {why}"))),
        Err(error) => return Err(ApiError::unclassified(error.to_string())),
    };
    let (mut head, body) = answer.into_parts();
    if !head.status.is_success() {
        return Err(refused(head.status, text(body).await));
    }
    let content_type = http::HeaderValue::from_static("text/plain");
    head.headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type)]);
    head.status = StatusCode::OK;
    Ok(Response::from_parts(head, body))
}

/// Ties the client's connection to one of the kubelet's: exec, attach, port-forward.
pub(super) async fn upgrade(call: &Call<'_>, kubelets: &Kubelets, request: Request) -> Result<Response, ApiError> {
    let query = &call.query;
    let on = |name| query.switch(name) == Some(true);
    let streams = [("stdin", "input"), ("stdout", "output"), ("stderr", "error")];
    let mut parameters: Vec<(&str, String)> = Vec::new();
    let (location, path) = match call.info.subresource.as_str() {
        "portforward" => {
            parameters.extend(query.all("ports").into_iter().map(|port| ("port", port.to_owned())));
            pod(call, kubelets, "portForward").await?
        }
        action => {
            let found = container(call, kubelets, action).await?;
            let wanted = streams.into_iter().filter(|(name, _)| on(name));
            let wanted: Vec<(&str, String)> = wanted.map(|(_, name)| (name, "1".to_owned())).collect();
            if wanted.is_empty() {
                let message = "you must specify at least 1 of stdin, stdout, stderr";
                return Err(ApiError::bad_request(message));
            }
            parameters.extend(
                query
                    .all("command")
                    .into_iter()
                    .map(|word| ("command", word.to_owned())),
            );
            parameters.extend(wanted);
            parameters.extend(on("tty").then(|| ("tty", "1".to_owned())));
            found
        }
    };
    if !request.headers().contains_key(http::header::UPGRADE) {
        return Err(ApiError::bad_request("Upgrade request required"));
    }
    let url = url(&location, &path, parameters)?;
    let answer = proxy::forward(request, url, &kubelets.transport).await;
    answer.map_err(|error| match error {
        ProxyError::Unreachable(why) => ApiError::unclassified(format!("error dialing backend: {why}")),
        error => ApiError::unclassified(error.to_string()),
    })
}

/// The pod's kubelet, and the path of one of its containers there.
async fn container(call: &Call<'_>, kubelets: &Kubelets, action: &str) -> Result<(Location, String), ApiError> {
    let pod = document(call).await?;
    let container = chosen_container(call, &pod)?;
    let location = kubelet_of(call, kubelets, &pod).await?;
    Ok((location, format!("{}/{container}", path(call, action))))
}

/// The pod's kubelet, and the pod's path there.
async fn pod(call: &Call<'_>, kubelets: &Kubelets, action: &str) -> Result<(Location, String), ApiError> {
    let pod = document(call).await?;
    let location = kubelet_of(call, kubelets, &pod).await?;
    Ok((location, path(call, action)))
}

/// The pod's kubelet; an error for a missing node speaks of pods, since that is what the request is about.
async fn kubelet_of(call: &Call<'_>, kubelets: &Kubelets, pod: &Value) -> Result<Location, ApiError> {
    let node = host(call, pod)?;
    let location = locations::kubelet(call, kubelets, node).await;
    location.map_err(|error| match error.reason() {
        "NotFound" => ApiError::not_found(&call.resource.group_resource(), node),
        _ => error,
    })
}

async fn document(call: &Call<'_>) -> Result<Arc<Value>, ApiError> {
    let pod = call.resource.store.get(call.namespace(), &call.info.name, None).await?;
    Ok(pod.document())
}

/// The pod's path at its kubelet.
fn path(call: &Call<'_>, action: &str) -> String {
    format!("/{action}/{}/{}", call.namespace(), call.info.name)
}

fn host<'a>(call: &Call<'_>, pod: &'a Value) -> Result<&'a str, ApiError> {
    let host = pod["spec"]["nodeName"].as_str().filter(|name| !name.is_empty());
    host.ok_or_else(|| ApiError::bad_request(format!("pod {} does not have a host assigned", call.info.name)))
}

/// The container that the request names, or the only one.
fn chosen_container(call: &Call<'_>, pod: &Value) -> Result<String, ApiError> {
    let name = &call.info.name;
    let names = |field: &str| {
        let containers = pod["spec"][field].as_array().into_iter().flatten();
        let names = containers.filter_map(|container| container["name"].as_str().map(str::to_owned));
        names.collect::<Vec<_>>()
    };
    let (containers, init) = (names("containers"), names("initContainers"));
    let ephemeral = names("ephemeralContainers");
    match (call.query.text("container"), containers.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            let choice = [init, containers, ephemeral].concat().join(" ");
            let message = format!("a container name must be specified for pod {name}, choose one of: [{choice}]");
            Err(ApiError::bad_request(message))
        }
        (Some(wanted), _) => {
            let all = [containers.clone(), init, ephemeral].concat();
            match all.iter().any(|known| known == wanted) {
                true => Ok(wanted.to_owned()),
                false => Err(ApiError::bad_request(format!(
                    "container {wanted} is not valid for pod {name}"
                ))),
            }
        }
    }
}

fn check_log_options(call: &Call<'_>) -> Result<(), ApiError> {
    let mut errors = Vec::new();
    if let Some(time) = call
        .query
        .text("sinceTime")
        .filter(|time| time.parse::<jiff::Timestamp>().is_err())
    {
        let layout = "\"2006-01-02T15:04:05Z07:00\"";
        let quoted = quote(time);
        let message = format!("parsing time {quoted} as {layout}: cannot parse {quoted} as \"2006\"");
        return Err(ApiError::bad_request(message));
    }
    for (name, least, message) in [
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ] {
        if let Some(value) = call.query.integer(name)?.filter(|value| *value < least) {
            errors.push(FieldError::invalid(name, value.into(), message));
        }
    }
    if call.query.text("sinceSeconds").is_some() && call.query.text("sinceTime").is_some() {
        let message = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        errors.push(FieldError::forbidden("[]", message));
    }
    if call.query.text("stream").is_some() {
        // Choosing between the streams (KEP-3288) is off by default.
        errors.push(FieldError::forbidden("stream", "may not be specified"));
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(ApiError::invalid("", "PodLogOptions", &call.info.name, errors)),
    }
}

/// A URL of a kubelet; the parameters are sorted, as Go writes them.
fn url(location: &Location, path: &str, mut parameters: Vec<(&str, String)>) -> Result<Uri, ApiError> {
    parameters.sort_by_key(|(name, _)| *name);
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let query: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let path_and_query = match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", query.join("&")),
    };
    location.url(&path_and_query)
}

/// A kubelet's refusal as an error of this server.
fn refused(status: StatusCode, text: String) -> ApiError {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => ApiError::internal(text),
        StatusCode::BAD_REQUEST => ApiError::bad_request(text),
        StatusCode::NOT_FOUND => ApiError::new(
            404,
            "NotFound",
            format!("the server could not find the requested resource ({text})"),
        ),
        status => {
            let message = format!(
                "the server responded with the status code {} but did not return more information ({text})",
                status.as_u16()
            );
            ApiError::new(status.as_u16(), "", message)
        }
    }
}

/// The beginning of a body, as far as it arrives.
async fn text(mut body: RequestBody) -> String {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
        if bytes.len() >= ERROR_LIMIT {
            bytes.truncate(ERROR_LIMIT);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}
