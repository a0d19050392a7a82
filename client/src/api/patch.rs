//! The kinds of patches.

use bytes::Bytes;
use serde_json::Value;

use crate::wire::WireError;

/// Parts of an object to change.
///
/// ```
/// use kubewire_client::Patch;
/// let scale = Patch::Merge(serde_json::json!({ "spec": { "replicas": 3 } }));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Patch {
    /// Operations on paths (RFC 6902).
    Json(Value),
    /// A document to lay over the object; `null` removes (RFC 7386).
    Merge(Value),
    /// Like a merge, with lists merged by their keys; built-in kinds only.
    Strategic(Value),
    /// Server-side apply: the fields that the manager wants to own (KEP-555). Sent as `application/apply-patch+yaml`, as
    /// client-go does unless its alpha gates for CBOR (KEP-4222) are on; this client speaks no CBOR.
    Apply(Value),
}

impl Patch {
    pub(super) fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json-patch+json",
            Self::Merge(_) => "application/merge-patch+json",
            Self::Strategic(_) => "application/strategic-merge-patch+json",
            Self::Apply(_) => "application/apply-patch+yaml",
        }
    }

    /// The patch as JSON, which is YAML too.
    pub(super) fn body(&self) -> Result<Bytes, WireError> {
        let (Self::Json(value) | Self::Merge(value) | Self::Strategic(value) | Self::Apply(value)) = self;
        Ok(serde_json::to_vec(value)?.into())
    }
}
