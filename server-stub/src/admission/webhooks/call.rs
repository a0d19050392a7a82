//! What came of asking a webhook.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kubewire_client::Gvk;
use kubewire_client::types::admission::v1::AdmissionResponse;
use kubewire_client::wire::schema;
use kubewire_client::wire::transcode::JsonDocument;
use serde_json::Value;

use super::Webhook;
use crate::endpoints::JsonPatch;
use crate::status::ApiError;

/// Why a webhook did not let the request pass.
#[derive(Debug)]
pub(super) enum CallError {
    /// It could not be asked, or its answer makes no sense; whether that counts is for the configuration to say.
    Failed(String),
    /// It said no.
    Refused(ApiError),
}

/// A yes, with the changes that come with it.
#[derive(Debug)]
pub(super) struct Answer {
    patch: Option<Vec<u8>>,
    patch_type: Option<String>,
}

impl CallError {
    /// The error of the request; none, but a note, where the failure is to be ignored.
    pub(super) fn unless_ignored(self, webhook: &Webhook, note: impl FnOnce()) -> Result<(), ApiError> {
        match self {
            Self::Refused(error) => Err(error),
            Self::Failed(why) => {
                let message = format!("failed calling webhook {:?}: {why}", webhook.name);
                if webhook.ignore_failure {
                    tracing::warn!("failing open: {message}");
                    note();
                    return Ok(());
                }
                tracing::warn!("failing closed: {message}");
                Err(ApiError::internal(message))
            }
        }
    }
}

impl Answer {
    /// The answer, if it is a yes.
    pub(super) fn allowed(webhook: &Webhook, response: AdmissionResponse) -> Result<Self, CallError> {
        if !response.allowed {
            return Err(CallError::Refused(refusal(&webhook.name, response.status)));
        }
        Ok(Self {
            patch: response.patch.map(|patch| patch.0).filter(|patch| !patch.is_empty()),
            patch_type: response.patch_type,
        })
    }

    /// A webhook that only judges must not bring changes.
    pub(super) fn without_patch(self) -> Result<(), CallError> {
        let invalid = |why: &str| Err(CallError::Failed(format!("received invalid webhook response: {why}")));
        match (self.patch, self.patch_type) {
            (Some(_), _) => invalid("validating webhook may not return response.patch"),
            (_, Some(_)) => invalid("validating webhook may not return response.patchType"),
            (None, None) => Ok(()),
        }
    }

    /// The object with the changes, if there are any.
    ///
    /// # Errors
    /// The patch makes no sense, or no object of this kind.
    pub(super) fn patched(
        self,
        webhook: &Webhook,
        kind: &Gvk,
        object: Option<&Value>,
    ) -> Result<Option<Value>, CallError> {
        let failed = |why: String| CallError::Failed(why);
        let internal = |why: String| CallError::Refused(ApiError::internal(why));
        let (patch, patch_type) = match (self.patch, self.patch_type) {
            (None, None) => return Ok(None),
            (Some(patch), Some(patch_type)) => (patch, patch_type),
            (Some(_), None) => {
                return Err(failed(
                    "received invalid webhook response: webhook returned response.patch but not response.patchType"
                        .to_owned(),
                ));
            }
            (None, Some(_)) => {
                return Err(failed(
                    "received invalid webhook response: webhook returned response.patchType but not response.patch"
                        .to_owned(),
                ));
            }
        };
        let patch = JsonPatch::of_webhook(&patch)
            .map_err(|error| failed(format!("received undecodable patch in webhook response: {error}")))?;
        if patch.is_empty() {
            return Ok(None);
        }
        let Some(object) = object else {
            let name = &webhook.name;
            return Err(internal(format!(
                "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
            )));
        };
        if patch_type != "JSONPatch" {
            return Err(failed(format!("unsupported patch type {patch_type:?}")));
        }
        let patched = patch.try_apply(object).map_err(internal)?;
        let patched = typed(kind, patched).map_err(internal)?;
        Ok((patched != *object).then_some(patched))
    }
}

/// What was patched, as an object of a kind; fields that the kind does not have are left out.
fn typed(kind: &Gvk, patched: Value) -> Result<Value, String> {
    let text = |field: &str| patched[field].as_str().unwrap_or_default();
    let own = Gvk::from_api_version(text("apiVersion"), text("kind"));
    if own != *kind {
        return Err(format!("a webhook must not turn an object of {kind} into one of {own}"));
    }
    let Some(schema) = schema::kind(kind) else {
        return Ok(patched);
    };
    let document = JsonDocument::from_value(&patched).map_err(|error| error.to_string())?;
    let (mut object, _) = document.typed(schema.message).map_err(|error| error.to_string())?;
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = schema.kind.into();
    Ok(object)
}

/// A no, in the webhook's own words and with its own code.
fn refusal(webhook: &str, status: Option<Status>) -> ApiError {
    let status = status.unwrap_or_default();
    let denied = format!("admission webhook {webhook:?} denied the request");
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let message = match given(&status.message).or_else(|| given(&status.reason)) {
        Some(why) => format!("{denied}: {why}"),
        None => format!("{denied} without explanation"),
    };
    let code = status
        .code
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| *code >= 400);
    ApiError::from_status(Status {
        status: Some("Failure".to_owned()),
        code: Some(code.unwrap_or(400).into()),
        message: Some(message),
        ..status
    })
}
