//! What differs between resources when objects are written: defaults, forced values, rules.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::managed_fields::Shape;
use super::query::{DeleteOptions, WriteContext};
use super::resource_info::ResourceInfo;
use super::validation::metadata::{NameRule, subdomain_name};
use crate::field_error::quote;
use crate::status::{ApiError, FieldError, GroupResource};

/// The behaviour of one resource.
///
/// Documents are whole objects in the version of [`ResourceInfo`]. The store takes care of metadata itself.
#[async_trait]
pub trait Strategy: fmt::Debug + Send + Sync + 'static {
    /// How the parts of objects belong together, where that is not known from the kind's message.
    #[allow(
        private_interfaces,
        reason = "shapes are this crate's own business, which others cannot override"
    )]
    fn shape(&self) -> Option<Shape<'_>> {
        None
    }

    /// Whether the status is written through a subresource of its own.
    fn has_status(&self) -> bool {
        false
    }

    /// Fills in what a client may leave out.
    fn default_object(&self, object: &mut Value) {
        let _ = object;
    }

    /// Resets what a client may not set on a new object.
    fn prepare_for_create(&self, object: &mut Value, context: &WriteContext) {
        let _ = (object, context);
    }

    /// Fields of metadata that an update of this subresource leaves alone.
    fn kept_metadata(&self, subresource: &str) -> &'static [&'static str] {
        let _ = subresource;
        &[]
    }

    /// Keeps what a client may not change by an update, or by one of this subresource.
    fn prepare_for_update(&self, change: &mut Update<'_>) {
        let _ = change;
    }

    /// The rules for every object, beyond those for metadata.
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let _ = object;
        Vec::new()
    }

    /// The rules for a change, those for every object included.
    fn validate_update(&self, new: &Value, old: &Value, subresource: Option<&str>) -> Vec<FieldError> {
        let _ = (old, subresource);
        self.validate(new)
    }

    /// What the client should know of a valid object, new or changed from an old one.
    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let _ = (new, old);
        Vec::new()
    }

    /// The rule for names.
    fn name_rule(&self) -> NameRule {
        subdomain_name
    }

    /// Whether objects count the changes of their wished-for state in `metadata.generation`.
    fn has_generation(&self) -> bool {
        false
    }

    /// Whether the wished-for state of an object differs, so that its generation is counted up.
    fn spec_changed(&self, new: &Value, old: &Value) -> bool {
        new.get("spec") != old.get("spec")
    }

    /// Whether an update of an object that does not exist creates it.
    fn allow_create_on_update(&self) -> bool {
        false
    }

    /// Whether an update without a version overwrites whatever is there.
    fn allow_unconditional_update(&self) -> bool {
        true
    }

    /// What a deletion without a policy does with the objects that depend on this one.
    fn garbage_collection(&self) -> GarbageCollection {
        GarbageCollection::Background
    }

    /// What a client should know that leaves out the policy of a deletion.
    fn default_deletion_warning(&self) -> Option<&'static str> {
        None
    }

    /// What the error for a precondition of a deletion begins with, where that is worded as for updates.
    fn precondition_words(&self) -> Option<&'static str> {
        None
    }

    /// How long the object may take to end after its deletion was asked for; `None` where it goes at once.
    fn grace_period(&self, object: &Value, options: &DeleteOptions) -> Option<i64> {
        let _ = (object, options);
        None
    }

    /// Changes an object that was marked for deletion and stays until nothing holds it.
    fn mark_deleted(&self, object: &mut Value) {
        let _ = object;
    }

    /// Whether something beside the finalizers in metadata keeps an object that is marked for deletion.
    fn must_stay(&self, object: &Value) -> bool {
        let _ = object;
        false
    }

    /// Whether a deletion answers with the object instead of a status.
    fn returns_deleted_object(&self) -> bool {
        false
    }

    /// Seconds after which an object goes away by itself.
    fn ttl(&self, object: &Value) -> Option<u64> {
        let _ = object;
        None
    }

    /// Whether a field selector may name a field beside those of the resource.
    fn has_field(&self, field: &str) -> bool {
        let _ = field;
        false
    }

    /// The value of a field for field selectors; `None` for a field that does not stand for itself.
    fn field<'a>(&self, object: &'a Value, field: &str) -> Option<Cow<'a, str>> {
        let _ = (object, field);
        None
    }

    /// The answer to a field selector with a field that the resource does not have.
    fn unknown_field(&self, field: &str, known: &[&str]) -> String {
        let known: Vec<String> = known.iter().map(|field| quote(field)).collect();
        format!(
            "{} is not a known field selector: only {}",
            quote(field),
            known.join(", ")
        )
    }

    /// Takes what the object needs and others must not have, such as addresses, and puts it into the object.
    ///
    /// It comes before forced values and rules. What an error leaves behind is given back already.
    async fn allocate(&self, context: &WriteContext, object: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
        let _ = (context, object, old);
        Ok(())
    }

    /// Gives back what an object had that is no longer there, or that was not stored after all.
    async fn release(&self, object: &Value, kept: Option<&Value>) {
        let _ = (object, kept);
    }

    /// The error for a deletion that the resource does not allow for this object.
    fn check_delete(&self, object: &Value) -> Result<(), ApiError> {
        let _ = object;
        Ok(())
    }
}

/// An update on its way.
#[derive(Debug)]
pub struct Update<'a> {
    /// What will be stored.
    pub new: &'a mut Value,
    /// What is stored.
    pub old: &'a Value,
    /// The subresource that is updated, if any.
    pub subresource: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

/// What becomes of dependents when a deletion does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GarbageCollection {
    /// They are deleted afterwards.
    Background,
    /// They stay.
    Orphan,
    /// The resource takes no part in garbage collection.
    Unsupported,
}

/// A strategy without any rules of its own, but with status kept apart: custom resources start from it.
#[derive(Clone, Debug, Default)]
pub struct PlainStrategy {
    /// Whether there is a `status` subresource.
    pub has_status: bool,
    /// Whether objects have a `metadata.generation`.
    pub has_generation: bool,
}

impl Strategy for PlainStrategy {
    fn has_status(&self) -> bool {
        self.has_status
    }

    fn prepare_for_create(&self, object: &mut Value, _: &WriteContext) {
        if self.has_status {
            keep(object, None, "status");
        }
    }

    fn prepare_for_update(&self, change: &mut Update<'_>) {
        if self.has_status {
            separate_status(change);
        }
    }

    fn has_generation(&self) -> bool {
        self.has_generation
    }
}

/// An update of the object keeps the status, an update of the status keeps all but status and metadata.
pub(crate) fn separate_status(change: &mut Update<'_>) {
    if !matches!(change.subresource, Some("status" | "approval")) {
        keep(change.new, Some(change.old), "status");
        return;
    }
    let status = change.new.get("status").cloned();
    let metadata = change.new.get("metadata").cloned();
    *change.new = change.old.clone();
    for (field, value) in [("status", status), ("metadata", metadata)] {
        set(change.new, field, value);
    }
}

/// Makes a field of the object what it is in the old one.
pub(crate) fn keep(object: &mut Value, old: Option<&Value>, field: &str) {
    set(object, field, old.and_then(|old| old.get(field)).cloned());
}

fn set(object: &mut Value, field: &str, value: Option<Value>) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
}

/// The error for a broken rule, about an object of a resource.
pub(super) fn invalid(info: &ResourceInfo, name: &str, errors: Vec<FieldError>) -> ApiError {
    // Events of either group are those of the core group inside.
    let group = if info.is_event() { "" } else { &info.group };
    ApiError::invalid(group, &info.kind, name, errors)
}

/// Group and kind where kube-apiserver names the kind like a resource.
pub(super) fn group_kind(info: &ResourceInfo) -> GroupResource {
    GroupResource::new(info.group.clone(), info.kind.clone())
}
