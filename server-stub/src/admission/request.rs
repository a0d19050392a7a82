//! What stores ask about the objects of one request.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::plugins::{AdmissionPlugins, Plugin};
use super::webhooks::{self, Webhooks};
use crate::registry::{Admission, Operation, RequestAdmission};
use crate::status::ApiError;

/// Asks webhooks.
struct WebhookAdmission {
    webhooks: Arc<Webhooks>,
    attributes: webhooks::Attributes,
    mutating: bool,
    validating: bool,
}

impl AdmissionPlugins {
    /// The admission of a request that writes; `attributes` are only asked for where somebody wants to know.
    pub(crate) fn of_request(&self, attributes: impl FnOnce() -> webhooks::Attributes) -> RequestAdmission {
        if !self.webhooks.any() {
            return RequestAdmission::default();
        }
        RequestAdmission::new(Arc::new(WebhookAdmission {
            webhooks: self.webhooks.clone(),
            attributes: attributes(),
            mutating: self.is_on(Plugin::MutatingAdmissionWebhook),
            validating: self.is_on(Plugin::ValidatingAdmissionWebhook),
        }))
    }
}

#[async_trait]
impl Admission for WebhookAdmission {
    async fn mutate(
        &self,
        operation: Operation,
        new: Option<Value>,
        old: Option<&Value>,
    ) -> Result<Option<Value>, ApiError> {
        let mut object = new;
        if self.mutating {
            let (webhooks, attributes) = (&self.webhooks, &self.attributes);
            let first = webhooks.mutate(attributes, operation, &mut object, old, None).await?;
            if first.is_due() {
                webhooks
                    .mutate(attributes, operation, &mut object, old, Some(first))
                    .await?;
            }
        }
        Ok(object)
    }

    async fn validate(&self, operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Result<(), ApiError> {
        match self.validating {
            true => self.webhooks.validate(&self.attributes, operation, new, old).await,
            false => Ok(()),
        }
    }
}
