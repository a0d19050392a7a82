//! Where descriptions come from beside the built-in ones: custom resources, servers behind the aggregator.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

/// Describes groups that are not built in. What it describes may change at any time.
#[async_trait]
pub trait DocumentSource: Send + Sync {
    /// The groups and versions that are described, with their paths (`apis/example.com/v1`) and fingerprints, which
    /// change with the documents.
    fn documents(&self) -> Vec<DocumentInfo>;

    /// The OpenAPI 3 document at a path; `None` where there is none, or none to be had now.
    async fn v3(&self, path: &str) -> Option<Bytes>;

    /// The OpenAPI 2 document of a path: its `paths` and `definitions`.
    async fn v2(&self, path: &str) -> Option<Value>;
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentInfo {
    /// Such as `apis/example.com/v1`.
    pub path: String,
    /// Changes with the document. It stands in URLs: letters and digits.
    pub hash: String,
}
