//! What OpenAPI says of custom resources, made from their definitions when somebody asks.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use super::customresource::CustomKind;
use super::handler::CrdHandler;
use crate::generic::openapi::{CustomOpenApi, CustomOpenApiKind, DocumentInfo, DocumentSource};

#[async_trait]
impl DocumentSource for CrdHandler {
    fn documents(&self) -> Vec<DocumentInfo> {
        let mut hashers: BTreeMap<String, DefaultHasher> = BTreeMap::new();
        for described in self.described() {
            described.hash(hashers.entry(described.path()).or_default());
        }
        let info = |(path, hasher): (String, DefaultHasher)| DocumentInfo {
            path,
            hash: format!("{:016X}", hasher.finish()),
        };
        hashers.into_iter().map(info).collect()
    }

    async fn v3(&self, path: &str) -> Option<Bytes> {
        Some(self.document(path)?.v3().to_string().into())
    }

    async fn v2(&self, path: &str) -> Option<Value> {
        Some(self.document(path)?.v2())
    }
}

impl CrdHandler {
    fn document(&self, path: &str) -> Option<CustomOpenApi> {
        let described = self.described();
        let described: Vec<_> = described.iter().filter(|described| described.path() == path).collect();
        let first = described.first()?;
        Some(CustomOpenApi {
            group: first.kind.group.clone(),
            version: first.kind.version.clone(),
            kinds: described.iter().map(|described| described.openapi()).collect(),
        })
    }
}

/// A custom resource with the schema of its definition.
pub(super) struct Described {
    pub(super) kind: Arc<CustomKind>,
    pub(super) schema: Value,
}

impl Described {
    fn path(&self) -> String {
        format!("apis/{}", self.kind.api_version())
    }

    fn hash(&self, hasher: &mut DefaultHasher) {
        let kind = &self.kind;
        self.schema.to_string().hash(hasher);
        (&kind.plural, &kind.kind, &kind.list_kind, kind.namespaced).hash(hasher);
        (kind.has_status, kind.scale.is_some(), &kind.selectable_fields).hash(hasher);
    }

    fn openapi(&self) -> CustomOpenApiKind {
        let kind = &self.kind;
        let subresources = ["status", "scale"]
            .into_iter()
            .filter(|name| kind.has_subresource(name));
        CustomOpenApiKind {
            plural: kind.plural.clone(),
            kind: kind.kind.clone(),
            list_kind: kind.list_kind.clone(),
            namespaced: kind.namespaced,
            verbs: CustomKind::VERBS,
            subresources: subresources.map(|name| (name, CustomKind::SUBRESOURCE_VERBS)).collect(),
            schema: self.schema.clone(),
            selectable_fields: kind.selectable_fields.clone(),
        }
    }
}
