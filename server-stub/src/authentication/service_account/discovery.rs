//! What others need to check tokens on their own: `/.well-known/openid-configuration` and `/openid/v1/jwks`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::ServiceAccountTokens;
use crate::generic::delegation::Handler;
use crate::generic::mux::PathRecorderMux;
use crate::generic::request::{Request, Response};
use crate::generic::respond;
use crate::status::ApiError;

const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/openid/v1/jwks";

/// Serves both documents; none where the issuer is not a URL that others could look at. `jwks_uri` is where the keys are
/// found, by default on this server at `address`.
pub(crate) fn install(mux: &mut PathRecorderMux, tokens: &ServiceAccountTokens, jwks_uri: Option<&str>, address: &str) {
    let issuer = tokens.config.issuers.first().map(String::as_str).unwrap_or_default();
    if !issuer.starts_with("https://") {
        tracing::info!(
            issuer,
            "the issuer of service account tokens is not an https URL: its keys are not published"
        );
        return;
    }
    let mut algorithms: Vec<&str> = tokens.public_keys.iter().map(|key| key.algorithm()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    let jwks_uri = jwks_uri.map_or_else(|| format!("https://{address}{KEYS}"), str::to_owned);
    let configuration = json!({
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
    });
    let keys: Vec<Value> = tokens.public_keys.iter().map(|key| key.jwk()).collect();
    let documents = [
        (CONFIGURATION, "application/json", configuration),
        (KEYS, "application/jwk-set+json", json!({ "keys": keys })),
    ];
    for (path, media_type, document) in documents {
        let document: Arc<dyn Handler> = Arc::new(Document {
            media_type,
            body: Bytes::from(document.to_string()),
        });
        mux.handle(path, document.clone());
        mux.handle_unlisted(format!("{path}/"), document);
    }
}

struct Document {
    media_type: &'static str,
    body: Bytes,
}

#[async_trait]
impl Handler for Document {
    async fn handle(&self, request: Request) -> Response {
        let error_format = respond::error_format(&request);
        if request.method() != Method::GET {
            return respond::error(&ApiError::method_not_allowed(), error_format);
        }
        let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
        let accepts = |range: &str| matches!(range, "*/*" | "application/*") || range == self.media_type;
        let mut ranges = accept.unwrap_or("*/*").split(',');
        if !ranges.any(|range| accepts(range.split(';').next().unwrap_or_default().trim())) {
            return respond::error(&ApiError::no_such_representation(&[self.media_type]), error_format);
        }
        let mut response = respond::bytes(StatusCode::OK, self.media_type, self.body.clone());
        let cache = HeaderValue::from_static("public, max-age=3600");
        response.headers_mut().insert(CACHE_CONTROL, cache);
        response
    }
}
