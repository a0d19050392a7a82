//! Conversion by a webhook: a server of the user's turns objects of one version into those of another.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::uri::Scheme;
use http::{Method, Uri};
use http_body_util::{BodyExt, Collected, Limited};
use serde_json::{Value, json};

use crate::aggregator::ServiceResolver;
use crate::generic::clock::Ids;
use crate::generic::request::{Request, ResponseBody, full};
use crate::proxy::{self, DirectDialer, ProxyTls, ProxyTlsError, ProxyTransport, Trust};
use crate::registry::validation::values::text;

/// How long a webhook may take, as in kube-apiserver.
const TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// What a webhook may change in metadata.
const CHANGEABLE: [&str; 2] = ["labels", "annotations"];

/// A definition's webhook.
pub(crate) struct ConversionWebhook {
    target: Target,
    transport: Result<ProxyTransport, ProxyTlsError>,
    /// Of the review.
    version: String,
    ids: Ids,
    services: Arc<OnceLock<ServiceResolver>>,
}

enum Target {
    Url(String),
    Service {
        namespace: String,
        name: String,
        port: i32,
        path: String,
    },
}

impl ConversionWebhook {
    /// The webhook in a definition's `spec.conversion.webhook`. `services` is there once services are followed.
    pub(crate) fn new(webhook: &Value, ids: Ids, services: Arc<OnceLock<ServiceResolver>>) -> Self {
        let config = &webhook["clientConfig"];
        let versions = webhook["conversionReviewVersions"].as_array().into_iter().flatten();
        let version = versions
            .filter_map(Value::as_str)
            .find(|version| ["v1", "v1beta1"].contains(version));
        let target = match config["url"].as_str() {
            Some(url) => Target::Url(url.to_owned()),
            None => Target::Service {
                namespace: text(config, "/service/namespace").to_owned(),
                name: text(config, "/service/name").to_owned(),
                port: config["service"]["port"]
                    .as_i64()
                    .and_then(|port| i32::try_from(port).ok())
                    .unwrap_or(443),
                path: format!("/{}", text(config, "/service/path").trim_start_matches('/')),
            },
        };
        Self {
            transport: transport(&target, config["caBundle"].as_str()),
            target,
            version: version.unwrap_or("v1").to_owned(),
            ids,
            services,
        }
    }

    /// Objects of one kind in another version, in the same order.
    ///
    /// # Errors
    /// In the words of kube-apiserver.
    pub(crate) async fn convert(&self, objects: &[Value], api_version: &str) -> Result<Vec<Value>, String> {
        let Some(first) = objects.first() else {
            return Ok(Vec::new());
        };
        let webhook = format!(
            "conversion webhook for {}, Kind={}",
            text(first, "/apiVersion"),
            text(first, "/kind")
        );
        let answer = self.review(objects, api_version).await;
        let converted = answer.map_err(|error| format!("{webhook} failed: {error}"))?;
        if converted.len() != objects.len() {
            let (got, wanted) = (converted.len(), objects.len());
            return Err(format!("{webhook} returned {got} objects, expected {wanted}"));
        }
        let checked = converted
            .into_iter()
            .zip(objects)
            .enumerate()
            .map(|(index, (converted, original))| {
                check(converted, original, api_version).map_err(|problem| match problem {
                    Problem::Object(problem) => {
                        format!("{webhook} returned invalid object at index {index}: {problem}")
                    }
                    Problem::Metadata(problem) => format!("{webhook} returned invalid metadata: {problem}"),
                })
            });
        checked.collect()
    }

    /// Sends a `ConversionReview`.
    async fn review(&self, objects: &[Value], api_version: &str) -> Result<Vec<Value>, String> {
        let uid = self.ids.uid();
        let review_version = format!("apiextensions.k8s.io/{}", self.version);
        let review = json!({
            "kind": "ConversionReview",
            "apiVersion": review_version,
            "request": { "uid": uid, "desiredAPIVersion": api_version, "objects": objects },
        });
        let exchange = tokio::time::timeout(TIMEOUT, self.post(review.to_string()));
        let answer = exchange.await.map_err(|_| "context deadline exceeded".to_owned())??;
        let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let got = (text(&answer, "/apiVersion"), text(&answer, "/kind"));
        if got != (review_version.as_str(), "ConversionReview") {
            let (version, kind) = got;
            return Err(format!(
                "expected webhook response of {review_version}, Kind=ConversionReview, got {version}, Kind={kind}"
            ));
        }
        let response = &mut answer["response"];
        if !response.is_object() {
            return Err("no response provided".to_owned());
        }
        if self.version == "v1" && response["uid"] != *uid {
            return Err(format!(
                "expected response.uid={uid:?}, got {:?}",
                text(response, "/uid")
            ));
        }
        if text(response, "/result/status") != "Success" {
            let message = text(response, "/result/message");
            return Err(match message {
                "" => format!(
                    "response.result.status was '{}', not 'Success'",
                    text(response, "/result/status")
                ),
                message => message.to_owned(),
            });
        }
        match response["convertedObjects"].take() {
            Value::Array(objects) => Ok(objects),
            _ => Ok(Vec::new()),
        }
    }

    async fn post(&self, body: String) -> Result<Bytes, String> {
        let url = self.url()?;
        let transport = self.transport.as_ref().map_err(ToString::to_string)?;
        let failed = |error: String| format!("Post \"{url}?timeout=30s\": {error}");
        let mut request = Request::new(full(body));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*"));
        let answer = proxy::forward(request, url.clone(), transport)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let status = answer.status();
        let body = read(answer.into_body()).await.map_err(failed)?;
        match status.is_success() {
            true => Ok(body),
            false => Err(String::from_utf8_lossy(&body).trim().to_owned()),
        }
    }

    fn url(&self) -> Result<Uri, String> {
        match &self.target {
            Target::Url(url) => url.parse().map_err(|error: http::uri::InvalidUri| error.to_string()),
            Target::Service {
                namespace,
                name,
                port,
                path,
            } => {
                let resolver = self.services.get().ok_or("services are not known yet")?;
                let server = resolver
                    .resolve(namespace, name, *port)
                    .map_err(|error| error.message)?;
                proxy::server_url(Scheme::HTTPS, &server.0, server.1, path).map_err(|error| error.to_string())
            }
        }
    }
}

/// The whole body, if it is not too long.
fn read(body: ResponseBody) -> BoxFuture<'static, Result<Bytes, String>> {
    let body = Limited::new(body, ANSWER_LIMIT).collect();
    let body = body.map_err(|error| error.to_string());
    body.map_ok(Collected::to_bytes).boxed()
}

fn transport(target: &Target, ca_bundle: Option<&str>) -> Result<ProxyTransport, ProxyTlsError> {
    let bundle = ca_bundle.and_then(|bundle| STANDARD.decode(bundle).ok());
    let trust = bundle.map_or(Trust::System, Trust::Bundle);
    let mut tls = ProxyTls::new(&trust, None)?;
    if let Target::Service { namespace, name, .. } = target {
        tls = tls.with_server_name(&format!("{name}.{namespace}.svc"))?;
    }
    Ok(ProxyTransport::new(Arc::new(DirectDialer), tls))
}

/// What is wrong with an object that a webhook has made.
enum Problem {
    Object(String),
    Metadata(String),
}

/// The object in its new version, with the metadata that it had but for labels and annotations.
fn check(mut converted: Value, original: &Value, api_version: &str) -> Result<Value, Problem> {
    let version = text(&converted, "/apiVersion");
    if version != api_version {
        let problem = format!("invalid groupVersion (expected {api_version}, received {version})");
        return Err(Problem::Object(problem));
    }
    let (kind, wanted) = (text(&converted, "/kind"), text(original, "/kind"));
    if kind != wanted {
        let problem = format!("invalid kind (expected {wanted}, received {kind})");
        return Err(Problem::Object(problem));
    }
    for (field, words) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
        let pointer = format!("/metadata/{field}");
        let (got, wanted) = (text(&converted, &pointer), text(original, &pointer));
        if got != wanted {
            return Err(Problem::Metadata(format!(
                "must have the same {words}: {got} != {wanted}"
            )));
        }
    }
    let mut metadata = original["metadata"].clone();
    for field in CHANGEABLE {
        match converted["metadata"][field].take() {
            Value::Null => metadata.as_object_mut().and_then(|metadata| metadata.remove(field)),
            value => metadata
                .as_object_mut()
                .and_then(|metadata| metadata.insert(field.to_owned(), value)),
        };
    }
    converted["metadata"] = metadata;
    Ok(converted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_does_not_change_who_an_object_is() {
        let original = json!({ "apiVersion": "g/v1", "kind": "K", "metadata": { "name": "n", "uid": "u", "labels": { "a": "1" } } });
        let converted = |metadata: Value| json!({ "apiVersion": "g/v2", "kind": "K", "metadata": metadata, "spec": 1 });
        let fine = check(
            converted(json!({ "name": "n", "uid": "u", "annotations": { "b": "2" } })),
            &original,
            "g/v2",
        );
        let expected = converted(json!({ "name": "n", "uid": "u", "annotations": { "b": "2" } }));
        assert_eq!(fine.ok(), Some(expected));
        let renamed = check(converted(json!({ "name": "m", "uid": "u" })), &original, "g/v2");
        assert!(matches!(renamed, Err(Problem::Metadata(problem)) if problem == "must have the same name: m != n"));
        let other = check(converted(json!({ "name": "n", "uid": "u" })), &original, "g/v3");
        let wanted = "invalid groupVersion (expected g/v3, received g/v2)";
        assert!(matches!(other, Err(Problem::Object(problem)) if problem == wanted));
    }
}
