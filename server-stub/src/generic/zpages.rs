//! `/statusz` and `/flagz`, for people who look into the server, and as objects for programs.

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::clock::Clock;
use super::delegation::Handler;
use super::request::{Request, Response};
use super::{respond, version};
use crate::endpoints::{PageForm, wants_pretty};

const WARNING: &str = "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility \
                       guarantees and is for debugging purposes only.";

/// The versions of the objects. In the older one, answers say that there is a newer one.
const VERSIONS: [&str; 2] = ["v1alpha1", "v1beta1"];

/// Serves `/statusz`.
pub(super) struct Statusz {
    pub(super) started: Timestamp,
    pub(super) clock: Clock,
    pub(super) paths: Vec<String>,
}

#[async_trait]
impl Handler for Statusz {
    async fn handle(&self, request: Request) -> Response {
        let up = self.clock.now().as_second() - self.started.as_second();
        let binary = version::GIT_VERSION.trim_start_matches('v');
        let emulated = binary.rsplit_once('.').map_or(binary, |(minor, _)| minor);
        let go = version::info()["goVersion"].take();
        let text = || {
            let (hours, minutes, seconds) = (up / 3600, up / 60 % 60, up % 60);
            format!(
                "\nStarted: {}\nUp: {hours} hr {minutes:02} min {seconds:02} sec\nGo version: {}\nBinary version: \
                 {binary}\nEmulation version: {emulated}\nPaths: {}\n",
                self.started.strftime("%a %b %e %H:%M:%S UTC %Y"),
                go.as_str().unwrap_or_default(),
                self.paths.join(" ")
            )
        };
        let object = json!({
            "startTime": self.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "uptimeSeconds": up,
            "goVersion": go,
            "binaryVersion": binary,
            "emulationVersion": emulated,
            "paths": self.paths,
        });
        page(&request, "statusz", "Statusz", text, object)
    }
}

/// Serves `/flagz`.
pub(super) struct Flagz {
    /// In the order of their names.
    pub(super) flags: Vec<(String, String)>,
}

#[async_trait]
impl Handler for Flagz {
    async fn handle(&self, request: Request) -> Response {
        let text = || {
            let lines = self.flags.iter().map(|(name, value)| format!("{name}:{value}\n"));
            lines.collect()
        };
        let flags: serde_json::Map<String, Value> = self
            .flags
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        page(&request, "flagz", "Flagz", text, json!({ "flags": flags }))
    }
}

/// The page in the form that the client wants.
fn page(request: &Request, name: &str, kind: &str, text: impl Fn() -> String, mut object: Value) -> Response {
    let form = match PageForm::negotiate(request.headers(), kind, &VERSIONS) {
        Ok(form) => form,
        Err(refusal) => return respond::error(&refusal, respond::error_format(request)),
    };
    let PageForm::Object { format, version } = form else {
        let text = format!("\napiserver {name}\n{WARNING}\n{}", text());
        return respond::bytes(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from(text));
    };
    object["kind"] = kind.into();
    object["apiVersion"] = format!("config.k8s.io/{version}").into();
    object["metadata"] = json!({ "name": "apiserver" });
    let pretty = wants_pretty(request.headers(), request.uri().query());
    let body = match respond::encode(&object, format, pretty) {
        Ok(body) => body,
        Err(error) => return respond::error(&error, respond::error_format(request)),
    };
    let mut response = respond::bytes(StatusCode::OK, format.media_type(), body);
    let media_type = format!("{};g=config.k8s.io;v={version};as={kind}", format.media_type());
    if let Ok(media_type) = HeaderValue::from_str(&media_type) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    if version != "v1beta1"
        && let Ok(warning) = HeaderValue::from_str(&format!(
            "299 - \"This version of the {name} endpoint is deprecated. Please use a newer version.\""
        ))
    {
        response
            .headers_mut()
            .insert(HeaderName::from_static("warning"), warning);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::request::empty;
    use http::header::ACCEPT;
    use http_body_util::BodyExt;

    async fn get(handler: &dyn Handler, accept: &str) -> (u16, String, String) {
        let request = http::Request::get("/").header(ACCEPT, accept).body(empty()).unwrap();
        let response = handler.handle(request).await;
        let status = response.status().as_u16();
        let media_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, media_type, String::from_utf8(body.to_vec()).unwrap())
    }

    fn statusz() -> Statusz {
        Statusz {
            started: "2026-01-02T03:04:05Z".parse().unwrap(),
            clock: Clock::fixed("2026-01-02T05:05:06Z".parse().unwrap()),
            paths: vec!["/livez".to_owned(), "/readyz".to_owned()],
        }
    }

    #[tokio::test]
    async fn pages_say_what_runs_and_how() {
        let (_, _, page) = get(&statusz(), "*/*").await;
        assert!(
            page.starts_with("\napiserver statusz\nWarning: This endpoint is not meant"),
            "{page}"
        );
        assert!(
            page.contains("Up: 2 hr 01 min 01 sec\nGo version: go1.") && page.ends_with("Paths: /livez /readyz\n"),
            "{page}"
        );
        let flagz = Flagz {
            flags: vec![("secure-port".to_owned(), "6443".to_owned())],
        };
        let (_, _, page) = get(&flagz, "text/plain").await;
        assert!(page.ends_with("only.\nsecure-port:6443\n"), "{page}");
    }

    #[tokio::test]
    async fn programs_get_objects() {
        let accept = "application/json;as=Statusz;v=v1beta1;g=config.k8s.io";
        let (status, media_type, page) = get(&statusz(), accept).await;
        assert_eq!(
            (status, &*media_type),
            (200, "application/json;g=config.k8s.io;v=v1beta1;as=Statusz")
        );
        let expected = json!({
            "kind": "Statusz", "apiVersion": "config.k8s.io/v1beta1", "metadata": {"name": "apiserver"},
            "startTime": "2026-01-02T03:04:05Z", "uptimeSeconds": 7261, "goVersion": version::info()["goVersion"],
            "binaryVersion": "1.37.1", "emulationVersion": "1.37", "paths": ["/livez", "/readyz"],
        });
        assert_eq!(serde_json::from_str::<Value>(&page).unwrap(), expected);
        for other in [
            "application/json",
            "text/html",
            "application/yaml;as=Flagz;v=v1beta1;g=config.k8s.io",
            "application/json;as=Statusz;v=v1;g=config.k8s.io",
        ] {
            let (status, _, page) = get(&statusz(), other).await;
            assert_eq!(status, 406, "{other}");
            assert!(
                page.contains("application/json, application/yaml, text/plain"),
                "{page}"
            );
        }
    }
}
