//! Lets pages of other origins call the API from a browser (`--cors-allowed-origins`).

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue, ORIGIN,
};
use http::{Method, StatusCode};
use regex::Regex;

use crate::generic::delegation::Handler;
use crate::generic::request::{Request, Response, empty};

struct WithCors {
    inner: Arc<dyn Handler>,
    origins: Vec<Regex>,
}

/// Adds the headers to answers for origins that one of the patterns fits, and answers what browsers ask beforehand.
pub(super) fn with_cors(inner: Arc<dyn Handler>, origins: Vec<Regex>) -> Arc<dyn Handler> {
    match origins.is_empty() {
        true => inner,
        false => Arc::new(WithCors { inner, origins }),
    }
}

#[async_trait]
impl Handler for WithCors {
    async fn handle(&self, request: Request) -> Response {
        let origin = request.headers().get(ORIGIN).cloned();
        let origin = origin.filter(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            self.origins.iter().any(|pattern| pattern.is_match(origin))
        });
        let Some(origin) = origin else {
            return self.inner.handle(request).await;
        };
        let mut response = match *request.method() {
            Method::OPTIONS => {
                let mut response = Response::new(empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            _ => self.inner.handle(request).await,
        };
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS, PUT, DELETE, PATCH"),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, X-Requested-With, \
                 If-Modified-Since",
            ),
            (ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::delegation::NotFound;

    async fn ask(method: Method, origin: Option<&str>) -> (u16, Option<String>) {
        let handler = with_cors(
            Arc::new(NotFound),
            vec![Regex::new(r"^https://.*\.example\.com$").unwrap()],
        );
        let mut request = http::Request::builder().method(method).uri("/nosuch");
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        let response = handler.handle(request.body(empty()).unwrap()).await;
        let allowed = response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
        let allowed = allowed.map(|origin| origin.to_str().unwrap().to_owned());
        (response.status().as_u16(), allowed)
    }

    #[tokio::test]
    async fn origins_that_fit_are_let_in_and_others_learn_nothing() {
        let page = "https://shop.example.com";
        assert_eq!(ask(Method::GET, Some(page)).await, (404, Some(page.to_owned())));
        assert_eq!(ask(Method::OPTIONS, Some(page)).await, (204, Some(page.to_owned())));
        assert_eq!(ask(Method::OPTIONS, Some("https://example.net")).await, (404, None));
        assert_eq!(ask(Method::GET, None).await, (404, None));
    }
}
