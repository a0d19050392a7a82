//! What OpenAPI says of custom resources, made from their definitions when somebody asks.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use serde_json::Value;

use super::customresource::CustomKind;
use super::handler::CrdHandler;
use crate::generic::openapi::{CustomOpenApi, CustomOpenApiKind, DocumentInfo, DocumentSource};

/// The documents of all custom resources, kept until a definition changes.
#[derive(Default)]
pub(super) struct Documents(RwLock<Option<Arc<BTreeMap<String, Document>>>>);

/// What one version of a group has, and its fingerprint.
struct Document {
    hash: String,
    resources: CustomOpenApi,
}

impl Documents {
    /// To be called when a definition has changed, after that.
    pub(super) fn forget(&self) {
        *self.0.write() = None;
    }

    fn get_or_make(&self, describe: impl FnOnce() -> Vec<Described>) -> Arc<BTreeMap<String, Document>> {
        if let Some(known) = self.0.read().clone() {
            return known;
        }
        // Held while looking, so that what is kept is never older than the last call of `forget`.
        let mut kept = self.0.write();
        let made = Arc::new(documents(&describe()));
        *kept = Some(made.clone());
        made
    }
}

fn documents(described: &[Described]) -> BTreeMap<String, Document> {
    let mut by_path: BTreeMap<String, Vec<&Described>> = BTreeMap::new();
    for described in described {
        by_path.entry(described.path()).or_default().push(described);
    }
    let document = |(path, described): (String, Vec<&Described>)| {
        let mut hasher = DefaultHasher::new();
        described.iter().for_each(|described| described.hash(&mut hasher));
        let kind = &described.first()?.kind;
        let resources = CustomOpenApi {
            group: kind.group.clone(),
            version: kind.version.clone(),
            kinds: described.iter().map(|described| described.openapi()).collect(),
        };
        let hash = format!("{:016X}", hasher.finish());
        Some((path, Document { hash, resources }))
    };
    by_path.into_iter().filter_map(document).collect()
}

#[async_trait]
impl DocumentSource for CrdHandler {
    fn documents(&self) -> Vec<DocumentInfo> {
        let info = |(path, document): (&String, &Document)| DocumentInfo {
            path: path.clone(),
            hash: document.hash.clone(),
        };
        self.openapi().iter().map(info).collect()
    }

    async fn v3(&self, path: &str) -> Option<Bytes> {
        Some(self.openapi().get(path)?.resources.v3().to_string().into())
    }

    async fn v2(&self, path: &str) -> Option<Value> {
        Some(self.openapi().get(path)?.resources.v2())
    }
}

impl CrdHandler {
    fn openapi(&self) -> Arc<BTreeMap<String, Document>> {
        self.documents.get_or_make(|| self.described())
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
