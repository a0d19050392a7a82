//! A built-in resource's strategy, out of its [`Rules`].

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kubewire_client::Gvk;
use kubewire_client::wire::schema::{self, KindSchema};
use serde_json::Value;

use super::rules::{self, Rules};
use crate::registry::capabilities::Capabilities;
use crate::registry::defaults::{disabled, fill_in};
use crate::registry::facts::ResourceFacts;
use crate::registry::managed_fields::Shape;
use crate::registry::query::{DeleteOptions, WriteContext};
use crate::registry::strategy::{GarbageCollection, Strategy, Update, keep, separate_status};
use crate::registry::validation::metadata::NameRule;
use crate::registry::validation::pod;
use crate::registry::validation::values::get;
use crate::status::{ApiError, FieldError};

/// A built-in resource that is described by its rules alone.
#[derive(Debug)]
pub(super) struct BuiltInStrategy {
    gvk: Gvk,
    kind: Option<&'static KindSchema>,
    has_status: bool,
    has_disabled: bool,
    rules: &'static Rules,
    allocator: Option<Arc<dyn Allocator>>,
    event_ttl: Duration,
    capabilities: Capabilities,
}

/// Takes what only one object may have, and gives it back; see [`Strategy::allocate`].
#[async_trait]
pub(super) trait Allocator: fmt::Debug + Send + Sync {
    async fn allocate(&self, context: &WriteContext, object: &mut Value, old: Option<&Value>) -> Result<(), ApiError>;

    async fn release(&self, object: &Value, kept: Option<&Value>);
}

impl BuiltInStrategy {
    pub(super) fn new(
        facts: &'static ResourceFacts,
        allocator: Option<Arc<dyn Allocator>>,
        event_ttl: Duration,
        capabilities: Capabilities,
    ) -> Self {
        let gvk = Gvk::new(facts.group, facts.version, facts.kind);
        let kind = schema::kind(&gvk);
        Self {
            has_disabled: kind.is_some_and(|kind| disabled::are_inside(kind.message)),
            kind,
            gvk,
            has_status: facts.subresource("status").is_some(),
            rules: rules::of(facts.group, facts.plural),
            allocator,
            event_ttl,
            capabilities,
        }
    }
}

impl BuiltInStrategy {
    fn apply_defaults(&self, object: &mut Value) {
        if let Some(kind) = self.kind {
            fill_in(&self.gvk, kind, object);
        }
    }

    /// Containers that do more than the administrator allows.
    fn privileged(&self, object: &Value) -> Vec<FieldError> {
        let path = match &*self.gvk.kind {
            "Pod" => "spec",
            "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController" => {
                "spec.template.spec"
            }
            "CronJob" => "spec.jobTemplate.spec.template.spec",
            "PodTemplate" => "template.spec",
            _ => return Vec::new(),
        };
        match self.capabilities.allow_privileged {
            true => Vec::new(),
            false => pod::privileged(get(object, &format!("/{}", path.replace('.', "/"))), path),
        }
    }

    fn drop_disabled(&self, object: &mut Value) {
        if let Some(kind) = self.kind.filter(|_| self.has_disabled) {
            disabled::drop_from(kind.message, object);
        }
    }
}

/// Leaves out errors that were told already.
fn told_once(errors: Vec<FieldError>) -> Vec<FieldError> {
    let mut once: Vec<FieldError> = Vec::with_capacity(errors.len());
    for error in errors {
        if !once.contains(&error) {
            once.push(error);
        }
    }
    once
}

#[async_trait]
impl Strategy for BuiltInStrategy {
    #[allow(private_interfaces, reason = "as in the trait")]
    fn shape(&self) -> Option<Shape<'_>> {
        self.kind.map(|kind| Shape::of_message(kind.message))
    }

    fn has_status(&self) -> bool {
        self.has_status
    }

    fn default_object(&self, object: &mut Value) {
        (self.rules.convert)(object);
        self.apply_defaults(object);
        (self.rules.default)(object);
    }

    fn prepare_for_create(&self, object: &mut Value, context: &WriteContext) {
        if self.has_status && !self.rules.new_with_status {
            keep(object, None, "status");
        }
        self.drop_disabled(object);
        (self.rules.create)(object, context);
        // What was taken away may have defaults.
        self.apply_defaults(object);
    }

    fn kept_metadata(&self, subresource: &str) -> &'static [&'static str] {
        match subresource {
            "status" => self.rules.status_keeps,
            _ => &[],
        }
    }

    fn prepare_for_update(&self, change: &mut Update<'_>) {
        if change.subresource == Some("binding") {
            return;
        }
        if self.has_status {
            separate_status(change);
        }
        self.drop_disabled(change.new);
        (self.rules.update)(change);
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = (self.rules.validate)(object);
        errors.extend(self.privileged(object));
        told_once(errors)
    }

    fn validate_update(&self, new: &Value, old: &Value, subresource: Option<&str>) -> Vec<FieldError> {
        match subresource {
            None => {}
            Some("status") => return (self.rules.validate_status)(new, old),
            Some(other) => return (self.rules.validate_subresource)(other, new, old),
        }
        let mut errors = (self.rules.validate)(new);
        errors.extend(self.privileged(new));
        errors.extend((self.rules.validate_update)(new, old));
        told_once(errors)
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        (self.rules.warnings)(new, old)
    }

    fn name_rule(&self) -> NameRule {
        self.rules.name
    }

    fn has_generation(&self) -> bool {
        self.rules.has_generation
    }

    fn spec_changed(&self, new: &Value, old: &Value) -> bool {
        (self.rules.spec_changed)(new, old)
    }

    fn allow_create_on_update(&self) -> bool {
        self.rules.create_on_update
    }

    fn allow_unconditional_update(&self) -> bool {
        self.rules.unconditional_update
    }

    fn garbage_collection(&self) -> GarbageCollection {
        self.rules.garbage_collection
    }

    fn default_deletion_warning(&self) -> Option<&'static str> {
        self.rules.default_deletion_warning
    }

    fn precondition_words(&self) -> Option<&'static str> {
        self.rules.precondition_words
    }

    fn grace_period(&self, object: &Value, options: &DeleteOptions) -> Option<i64> {
        (self.rules.grace_period)(object, options)
    }

    fn mark_deleted(&self, object: &mut Value) {
        (self.rules.mark_deleted)(object);
    }

    fn must_stay(&self, object: &Value) -> bool {
        (self.rules.must_stay)(object)
    }

    fn returns_deleted_object(&self) -> bool {
        self.rules.returns_deleted_object
    }

    fn ttl(&self, _: &Value) -> Option<u64> {
        self.rules.is_event.then_some(self.event_ttl.as_secs())
    }

    fn field<'a>(&self, object: &'a Value, field: &str) -> Option<Cow<'a, str>> {
        (self.rules.field)(object, field)
    }

    fn unknown_field(&self, field: &str, known: &[&str]) -> String {
        (self.rules.unknown_field)(field, known)
    }

    fn check_delete(&self, object: &Value) -> Result<(), ApiError> {
        (self.rules.check_delete)(object)
    }

    async fn allocate(&self, context: &WriteContext, object: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
        match &self.allocator {
            Some(allocator) => allocator.allocate(context, object, old).await,
            None => Ok(()),
        }
    }

    async fn release(&self, object: &Value, kept: Option<&Value>) {
        if let Some(allocator) = &self.allocator {
            allocator.release(object, kept).await;
        }
    }
}
