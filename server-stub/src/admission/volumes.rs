//! `StorageObjectInUseProtection` for classes of volume attributes, and `PersistentVolumeClaimResize`.

use serde_json::{Value, json};

use super::request::PluginAdmission;
use crate::registry::quantity::nanos;
use crate::registry::validation::values::{flag, items, put, text};
use crate::status::{ApiError, GroupResource};

const CLASS_PROTECTION: &str = "kubernetes.io/vac-protection";

/// A class stays while a volume uses it.
pub(super) fn protect_class(class: &mut Value) {
    let mut finalizers = items(class, "/metadata/finalizers").to_vec();
    if !finalizers.contains(&json!(CLASS_PROTECTION)) {
        finalizers.push(json!(CLASS_PROTECTION));
        put(class, &["metadata", "finalizers"], finalizers.into());
    }
}

impl PluginAdmission {
    /// A claim grows where its volume can.
    pub(super) async fn check_resize(&self, new: &Value, old: &Value) -> Result<(), ApiError> {
        let size = |claim| nanos(text(claim, "/spec/resources/requests/storage")).unwrap_or_default();
        if size(new) <= size(old) {
            return Ok(());
        }
        let message = if text(old, "/status/phase") != "Bound" {
            "Only bound persistent volume claims can be expanded"
        } else if !self.allows_resize(new, old).await {
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support \
             resize"
        } else {
            return Ok(());
        };
        let resource = GroupResource::new("", "persistentvolumeclaims");
        Err(ApiError::forbidden(&resource, text(new, "/metadata/name"), message))
    }

    async fn allows_resize(&self, new: &Value, old: &Value) -> bool {
        let (class, before) = (text(new, "/spec/storageClassName"), text(old, "/spec/storageClassName"));
        let Some(store) = self.stores.get("storage.k8s.io", "storageclasses") else {
            return false;
        };
        let found = store.get("", class, Some(store.written_version())).await;
        class == before && found.is_ok_and(|class| flag(&class.document(), "/allowVolumeExpansion"))
    }
}
