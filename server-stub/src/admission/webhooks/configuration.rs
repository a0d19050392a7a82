//! Webhooks as they are configured, of either kind.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{RuleWithOperations, WebhookClientConfig};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kubewire_client::Object;
use kubewire_informers::Lister;

use super::call::CallError;
use super::{Attributes, Sources};
use crate::status::{ApiError, GroupResource};

/// One webhook of a configuration.
#[derive(Clone, Debug)]
pub(super) struct Webhook {
    /// Tells it apart from all others of its kind.
    pub(super) id: String,
    pub(super) configuration: String,
    pub(super) name: String,
    pub(super) client: WebhookClientConfig,
    pub(super) rules: Vec<RuleWithOperations>,
    /// Whether a failure to ask it is ignored.
    pub(super) ignore_failure: bool,
    /// Whether rules for another version of the resource count.
    pub(super) match_equivalent: bool,
    pub(super) namespace_selector: Option<LabelSelector>,
    pub(super) object_selector: Option<LabelSelector>,
    side_effects: String,
    pub(super) timeout: Duration,
    /// Whether it is asked again when others change the object after it.
    pub(super) reinvoke: bool,
    pub(super) review_versions: Vec<String>,
    conditions: bool,
}

/// The two types of the API differ in what only one of them has.
macro_rules! webhook {
    ($configuration:expr, $index:expr, $webhook:expr, $reinvoke:expr) => {
        Webhook {
            id: format!("{}/{}/{}", $configuration, $webhook.name, $index),
            configuration: $configuration.to_owned(),
            name: $webhook.name.clone(),
            client: $webhook.client_config.clone(),
            rules: $webhook.rules.clone().unwrap_or_default(),
            ignore_failure: $webhook.failure_policy.as_deref() == Some("Ignore"),
            match_equivalent: $webhook.match_policy.as_deref() != Some("Exact"),
            namespace_selector: $webhook.namespace_selector.clone(),
            object_selector: $webhook.object_selector.clone(),
            side_effects: $webhook.side_effects.clone(),
            timeout: Duration::from_secs($webhook.timeout_seconds.and_then(|s| s.try_into().ok()).unwrap_or(10)),
            reinvoke: $reinvoke,
            review_versions: $webhook.admission_review_versions.clone(),
            conditions: $webhook
                .match_conditions
                .as_ref()
                .is_some_and(|conditions| !conditions.is_empty()),
        }
    };
}

impl Sources {
    pub(super) fn mutating_webhooks(&self) -> Vec<Webhook> {
        let mut webhooks = Vec::new();
        for configuration in by_name(&self.mutating) {
            let name = configuration.metadata.name.as_deref().unwrap_or_default();
            for (index, webhook) in configuration.webhooks.iter().flatten().enumerate() {
                let reinvoke = webhook.reinvocation_policy.as_deref() == Some("IfNeeded");
                webhooks.push(webhook!(name, index, webhook, reinvoke));
            }
        }
        webhooks
    }

    pub(super) fn validating_webhooks(&self) -> Vec<Webhook> {
        let mut webhooks = Vec::new();
        for configuration in by_name(&self.validating) {
            let name = configuration.metadata.name.as_deref().unwrap_or_default();
            for (index, webhook) in configuration.webhooks.iter().flatten().enumerate() {
                webhooks.push(webhook!(name, index, webhook, false));
            }
        }
        webhooks
    }
}

/// All configurations in the order of their names.
fn by_name<K: Object>(lister: &Lister<K>) -> Vec<Arc<K>> {
    let mut configurations = lister.list();
    configurations.sort_by(|a, b| a.name().cmp(b.name()));
    configurations.iter().filter_map(|one| one.decode().ok()).collect()
}

impl Webhook {
    /// A dry run must have no effect, and only some webhooks say that they have none.
    pub(super) fn check_dry_run(&self, dry_run: bool) -> Result<(), CallError> {
        if !dry_run || matches!(self.side_effects.as_str(), "None" | "NoneOnDryRun") {
            return Ok(());
        }
        let message = format!("admission webhook {:?} does not support dry run", self.name);
        Err(CallError::Refused(ApiError::bad_request(message)))
    }

    /// Whether it is to be asked, as far as its match conditions say. Those are not evaluated here, which is the same as
    /// failing: then the failure policy says whether the request is refused or goes on without the webhook.
    pub(super) fn conditions_hold(&self, attributes: &Attributes) -> Result<bool, ApiError> {
        if !self.conditions {
            return Ok(true);
        }
        let message = format!(
            "match conditions of webhook {:?} are not evaluated by this server",
            self.name
        );
        if self.ignore_failure {
            tracing::warn!("failing open: {message}");
            return Ok(false);
        }
        tracing::warn!("failing closed: {message}");
        let resource = &attributes.resource;
        let resource = GroupResource::new(resource.group.clone(), resource.resource.clone());
        Err(ApiError::forbidden(&resource, &attributes.name, message))
    }
}
