//! `/`: the paths that there are. And `/version`.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::delegation::{DelegationTarget, Handler};
use super::request::{Request, Response};
use super::{respond, version};
use crate::status::ApiError;

/// Lists the paths of a server and of those behind it.
pub(super) struct Index {
    pub(super) own: Vec<String>,
    pub(super) delegate: Arc<dyn DelegationTarget>,
}

#[async_trait]
impl Handler for Index {
    async fn handle(&self, _: Request) -> Response {
        let delegated = self.delegate.listed_paths();
        let paths: BTreeSet<&String> = self.own.iter().chain(&delegated).collect();
        raw_json(&json!({ "paths": paths }))
    }
}

/// Serves `/version`.
pub(super) struct Version;

#[async_trait]
impl Handler for Version {
    async fn handle(&self, request: Request) -> Response {
        if request.method() == Method::GET {
            raw_json(&version::info())
        } else {
            respond::error(&ApiError::method_not_allowed(), respond::error_format(&request))
        }
    }
}

/// Indented JSON whatever the client accepts.
fn raw_json(document: &Value) -> Response {
    respond::bytes(StatusCode::OK, "application/json", Bytes::from(format!("{document:#}")))
}
