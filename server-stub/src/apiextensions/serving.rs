//! How the objects of one definition are served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::customresource::{
    Conversion, ConversionWebhook, ConvertingStorage, CustomKind, CustomResourceStrategy, Versions,
};
use crate::aggregator::ServiceResolver;
use crate::endpoints::{Equivalents, ObjectKind, Resource};
use crate::generic::clock::Ids;
use crate::registry::Store;
use crate::registry::codec::JsonCodec;
use crate::registry::storage_factory::{RestOptionsGetter, StorageFactory};

/// The resource of a definition, in all versions.
pub(super) struct Serving {
    pub(super) versions: Arc<Versions>,
    pub(super) served: BTreeSet<String>,
    equivalents: Equivalents,
    resources: BTreeMap<String, OnceLock<Resource>>,
    pub(super) storage_version_hash: String,
}

impl Serving {
    pub(super) fn new(definition: &Value, ids: &Ids, services: &Arc<OnceLock<ServiceResolver>>) -> Self {
        let conversion = match &definition["spec"]["conversion"] {
            how if how["strategy"] == "Webhook" => {
                let webhook = ConversionWebhook::new(&how["webhook"], ids.clone(), services.clone());
                Conversion::Webhook(Box::new(webhook))
            }
            _ => Conversion::None,
        };
        let names = &definition["status"]["acceptedNames"];
        let (mut kinds, mut served, mut storage) = (BTreeMap::new(), BTreeSet::new(), String::new());
        for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
            let kind = Arc::new(CustomKind::new(definition, names, version));
            if version["served"] == true {
                served.insert(kind.version.clone());
            }
            if version["storage"] == true {
                storage.clone_from(&kind.version);
            }
            kinds.insert(kind.version.clone(), kind);
        }
        let of_storage = kinds.get(&storage);
        let storage_version_hash = of_storage.map(|kind| storage_version_hash(kind)).unwrap_or_default();
        let resources = kinds.keys().map(|version| (version.clone(), OnceLock::new()));
        let resources = resources.collect();
        let versions = Arc::new(Versions {
            conversion,
            storage,
            kinds,
        });
        Self {
            resources,
            equivalents: Equivalents::custom(versions.clone()),
            versions,
            served,
            storage_version_hash,
        }
    }

    /// The resource in a version; opened when it is first asked for.
    pub(super) fn resource(&self, version: &str, storage: &StorageFactory) -> Option<&Resource> {
        let kind = self.versions.kinds.get(version)?;
        let resource = self.resources.get(version)?;
        Some(resource.get_or_init(|| {
            let storage = storage.rest_options(&kind.group, &kind.plural).storage;
            let storage = ConvertingStorage::new(storage, kind.clone(), self.versions.clone());
            let strategy = Arc::new(CustomResourceStrategy::new(kind.clone()));
            let store = Store::new(kind.resource_info(), strategy, Arc::new(JsonCodec), Arc::new(storage));
            Resource {
                kind: ObjectKind::Custom(kind.clone()),
                store: Arc::new(store),
                equivalents: self.equivalents.clone(),
                frames: Arc::default(),
            }
        }))
    }
}

/// What discovery shows of the kind in which objects are stored.
fn storage_version_hash(kind: &CustomKind) -> String {
    let gvk = format!("{}/{}/{}", kind.group, kind.version, kind.kind);
    let digest = ring::digest::digest(&ring::digest::SHA256, gvk.as_bytes());
    STANDARD.encode(digest.as_ref().get(..8).unwrap_or_default())
}
