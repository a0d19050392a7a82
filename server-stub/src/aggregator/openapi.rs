//! Descriptions of the groups of servers elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::api_services::ApiServices;
use super::remote_service::RemoteService;
use crate::generic::openapi::{DocumentInfo, DocumentSource};

/// Reads the documents of the servers when they are asked for.
pub(super) struct RemoteDocuments(pub(super) Arc<ApiServices>);

impl RemoteDocuments {
    fn service(&self, path: &str) -> Option<Arc<RemoteService>> {
        self.0.all_remote().into_iter().find(|service| service.path() == path)
    }
}

#[async_trait]
impl DocumentSource for RemoteDocuments {
    fn documents(&self) -> Vec<DocumentInfo> {
        let services = self.0.all_remote().into_iter().filter_map(|service| {
            Some(DocumentInfo {
                hash: service.openapi_hash()?,
                path: service.path(),
            })
        });
        services.collect()
    }

    async fn v3(&self, path: &str) -> Option<Bytes> {
        self.service(path)?.document(&format!("/openapi/v3/{path}")).await
    }

    async fn v2(&self, path: &str) -> Option<Value> {
        let document = self.service(path)?.document("/openapi/v2").await?;
        Some(part(serde_json::from_slice(&document).ok()?, path))
    }
}

/// The paths of one group and version, with all definitions: those that nothing refers to do no harm.
fn part(mut document: Value, path: &str) -> Value {
    let root = format!("/{path}/");
    let paths = document["paths"].take();
    let own = |(name, _): &(String, Value)| format!("{name}/").starts_with(&root);
    let paths: Map<String, Value> = match paths {
        Value::Object(paths) => paths.into_iter().filter(own).collect(),
        _ => Map::new(),
    };
    json!({"paths": paths, "definitions": document["definitions"].take()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_paths_of_the_version_are_taken() {
        let document = json!({
            "paths": {"/apis/g/v1/a": 1, "/apis/g/v1/": 2, "/apis/g/v10/b": 3, "/version": 4},
            "definitions": {"x": {}}
        });
        let expected = json!({"paths": {"/apis/g/v1/a": 1, "/apis/g/v1/": 2}, "definitions": {"x": {}}});
        assert_eq!(part(document, "apis/g/v1"), expected);
    }
}
