//! Updates: read, change, compare-and-swap, and again if somebody else was faster.

use std::sync::Arc;

use kubewire_client::Gvk;
use kubewire_client::wire::schema;
use serde_json::{Value, json};

use super::Store;
use super::create::wipe_system_fields;
use super::fields::{metadata_mut, names, text};
use crate::endpoints::number_error;
use crate::registry::admission::Operation;
use crate::registry::managed_fields::{FieldManager, Shape};
use crate::registry::object::{StoredObject, set_resource_version};
use crate::registry::query::{Preconditions, UpdateOptions, WriteContext};
use crate::registry::strategy::{Update, invalid};
use crate::registry::validation::metadata;
use crate::status::{ApiError, FieldError};
use crate::storage::{Change, Expected, Swap};

/// What a conflicting update is told.
const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

/// What became of one try.
enum Attempt {
    Done(Arc<StoredObject>),
    SomebodyElseWasFaster,
}

impl Store {
    /// Changes an object with `mutate`, which gets what is stored and gives what shall be. It is called again when
    /// another writer was faster, unless its result names the version that it is based on.
    ///
    /// With `subresource` only that part changes. The flag says whether the object was created.
    ///
    /// # Errors
    /// 404, 409 when the version or a precondition does not fit, 422 for an object that breaks rules, and whatever
    /// `mutate` fails with.
    pub async fn update(
        &self,
        context: &WriteContext,
        namespace: &str,
        name: &str,
        subresource: Option<&str>,
        mut mutate: impl FnMut(&Value) -> Result<Value, ApiError> + Send,
        options: UpdateOptions,
    ) -> Result<(Arc<StoredObject>, bool), ApiError> {
        let key = self.info.key(namespace, name);
        loop {
            let Some(current) = self.read(&key).await? else {
                let may_create = options.allow_create || self.strategy.allow_create_on_update();
                if !may_create || subresource.is_some() {
                    return Err(self.not_found(name));
                }
                let object = mutate(&Value::Null)?;
                match self
                    .create_by_update(context, namespace, name, object, &options)
                    .await?
                {
                    Some(created) => return Ok((created, true)),
                    None => continue,
                }
            };
            self.check_preconditions(&key, &options.preconditions, &current)?;
            // Held until the try is over, so that it is decoded once.
            let old = current.document();
            let mut new = mutate(&old)?;
            self.set_type(&mut new);
            self.attribute_update(context, subresource, &mut new, &current);
            let new = context.admission.mutate(Operation::Update, new, Some(&old)).await?;
            let attempt = self.try_update(context, namespace, name, subresource, new, &current);
            match attempt.await? {
                Attempt::Done(object) => return Ok((object, false)),
                Attempt::SomebodyElseWasFaster => {}
            }
        }
    }

    async fn create_by_update(
        &self,
        context: &WriteContext,
        namespace: &str,
        name: &str,
        mut object: Value,
        options: &UpdateOptions,
    ) -> Result<Option<Arc<StoredObject>>, ApiError> {
        let missing = Preconditions::default();
        // An application wants the object in any case, whatever version it names.
        let version = requested_version(metadata_mut(&mut object))?;
        if options.preconditions != missing || (version != 0 && !options.allow_create) {
            return Err(self.not_found(name));
        }
        metadata_mut(&mut object).entry("name").or_insert_with(|| name.into());
        let mut context = context.clone();
        self.attribute_new(&mut context, &mut object);
        let context = &context;
        let mut object = context.admission.mutate(Operation::Create, object, None).await?;
        self.prepare_for_create(context, namespace, &mut object).await?;
        let admitted = context.admission.validate(Operation::Create, Some(&object), None).await;
        if let Err(refused) = admitted {
            self.give_back(context, &object, None).await;
            return Err(refused);
        }
        self.insert(context, namespace, name, object).await
    }

    async fn try_update(
        &self,
        context: &WriteContext,
        namespace: &str,
        name: &str,
        subresource: Option<&str>,
        mut new: Value,
        current: &Arc<StoredObject>,
    ) -> Result<Attempt, ApiError> {
        let old = current.document();
        self.set_namespace(namespace, &mut new)?;
        self.check_version(name, &mut new, current)?;
        // Rules tell by it that the object is not new.
        set_resource_version(&mut new, current.resource_version());
        if context.admission.is_some() {
            self.strategy.default_object(&mut new);
            self.keep_metadata(subresource, &mut new, &old);
        }
        if subresource.is_none() {
            self.strategy.allocate(context, &mut new, Some(&old)).await?;
        }
        if let Err(error) = self.prepare_for_update(context, subresource, &mut new, &old) {
            self.give_back(context, &new, Some(&old)).await;
            return Err(error);
        }
        let admitted = context.admission.validate(Operation::Update, Some(&new), Some(&old));
        if let Err(refused) = admitted.await {
            self.give_back(context, &new, Some(&old)).await;
            return Err(refused);
        }
        if self.is_ready_to_go(&mut new, &old) {
            return self.remove_finished(context, new, current).await;
        }
        set_resource_version(&mut new, 0);
        let stored = self.encode(&new)?;
        if stored == *current.stored() {
            return Ok(Attempt::Done(current.clone()));
        }
        if context.dry_run {
            return self
                .decode(current.key(), stored, current.resource_version())
                .map(Attempt::Done);
        }
        let change = Change::Put {
            value: stored.clone(),
            ttl: self.strategy.ttl(&new),
        };
        let expected = Expected::Revision(current.resource_version());
        match self.swap(current.key(), expected, change).await {
            Ok(Swap::Done { revision }) => {
                self.strategy.release(&old, Some(&new)).await;
                Ok(Attempt::Done(self.written(current.key(), stored, revision)))
            }
            Ok(Swap::Conflict { .. }) => {
                self.give_back(context, &new, Some(&old)).await;
                Ok(Attempt::SomebodyElseWasFaster)
            }
            Err(error) => {
                self.give_back(context, &new, Some(&old)).await;
                Err(error)
            }
        }
    }

    /// Fills in defaults and attributes the change to its manager; what admission adds belongs to nobody.
    fn attribute_update(
        &self,
        context: &WriteContext,
        subresource: Option<&str>,
        new: &mut Value,
        current: &StoredObject,
    ) {
        let old = current.document();
        let requested = new["metadata"].get("resourceVersion").cloned();
        // Rules tell by it that the object is not new.
        set_resource_version(new, current.resource_version());
        self.strategy.default_object(new);
        self.keep_metadata(subresource, new, &old);
        self.track_fields(context, &old, new);
        set_field(new, "resourceVersion", requested);
    }

    /// Metadata that an update of a subresource leaves alone.
    fn keep_metadata(&self, subresource: Option<&str>, new: &mut Value, old: &Value) {
        for field in subresource
            .map(|subresource| self.strategy.kept_metadata(subresource))
            .unwrap_or_default()
        {
            set_field(new, field, old["metadata"].get(*field).cloned());
        }
    }

    /// Attributes a new object to its manager before anything else changes it.
    pub(crate) fn attribute_new(&self, context: &mut WriteContext, object: &mut Value) {
        self.set_type(object);
        wipe_system_fields(object);
        self.strategy.default_object(object);
        self.track_fields(context, &Value::Null, object);
        context.field_manager = None;
    }

    /// Attributes what a write changes to its manager.
    pub(super) fn track_fields(&self, context: &WriteContext, old: &Value, new: &mut Value) {
        let Some(manager) = &context.field_manager else {
            return;
        };
        let subresource = context.subresource.as_deref();
        if matches!(subresource, Some("binding" | "eviction")) {
            return;
        }
        let api_version = self.info.api_version();
        let built_in = || schema::kind(&Gvk::from_api_version(&api_version, &self.info.kind));
        let shape = self.strategy.shape();
        let Some(shape) = shape.or_else(|| Some(Shape::of_message(built_in()?.message))) else {
            return;
        };
        let fields = FieldManager {
            shape,
            kind: &self.info.kind,
            api_version: &api_version,
            subresource,
            has_status: self.strategy.has_status(),
            now: context.clock.now(),
        };
        fields.update(old, new, manager);
    }

    /// Metadata, forced values and rules of an update.
    pub(super) fn prepare_for_update(
        &self,
        context: &WriteContext,
        subresource: Option<&str>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), ApiError> {
        let old_generation = old.pointer("/metadata/generation").cloned();
        set_field(new, "generation", old_generation.clone());
        set_field(new, "selfLink", None);
        self.strategy.prepare_for_update(&mut Update {
            new,
            old,
            subresource,
            now: context.clock.now(),
        });
        keep_fixed_metadata(new, old);
        if self.strategy.has_generation() && new.pointer("/metadata/generation") == old_generation.as_ref() {
            let counts = !matches!(subresource, Some("status" | "binding"));
            let changed = counts && self.strategy.spec_changed(new, old);
            if changed {
                let next = old_generation.and_then(|g| g.as_i64()).unwrap_or_default() + 1;
                set_field(new, "generation", Some(json!(next)));
            }
        }
        let mut errors = metadata::validate_update(new, old);
        errors.extend(self.strategy.validate_update(new, old, subresource));
        if !errors.is_empty() {
            return Err(invalid(&self.info, text(metadata_mut(new), "name"), errors));
        }
        if subresource.is_none() {
            context.warnings.extend(self.strategy.warnings(new, Some(old)));
        }
        Ok(())
    }

    /// The version that an update names must be the newest; naming none overwrites whatever is there.
    fn check_version(&self, name: &str, new: &mut Value, current: &StoredObject) -> Result<(), ApiError> {
        let version = requested_version(metadata_mut(new))?;
        if version == 0 {
            if self.strategy.allow_unconditional_update() {
                return Ok(());
            }
            let detail = "must be specified for an update";
            let error = FieldError::invalid("metadata.resourceVersion", json!(0), detail);
            return Err(ApiError::invalid(
                &self.info.group,
                &self.info.resource,
                name,
                vec![error],
            ));
        }
        match version == current.resource_version() {
            true => Ok(()),
            false => Err(ApiError::conflict(&self.resource(), name, MODIFIED)),
        }
    }

    /// The preconditions of a write, in the words of kube-apiserver's storage layer.
    pub(super) fn check_preconditions(
        &self,
        key: &str,
        wanted: &Preconditions,
        current: &StoredObject,
    ) -> Result<(), ApiError> {
        let header = current.header();
        match wanted.broken_by(&header) {
            Some(broken) => Err(self.unfit(key, &header.name, &format!("Precondition failed: {broken}"))),
            None => Ok(()),
        }
    }

    /// The error for an object that is not as it would have to be, in the words of kube-apiserver's storage layer.
    pub(super) fn unfit(&self, key: &str, name: &str, why: &str) -> ApiError {
        let text =
            format!("StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {why}");
        ApiError::conflict(&self.resource(), name, text)
    }

    /// Whether the object only waited for this change to go away: it is being deleted and nothing holds it.
    fn is_ready_to_go(&self, new: &mut Value, old: &Value) -> bool {
        let deleting = old.pointer("/metadata/deletionTimestamp").is_some();
        let grace = old
            .pointer("/metadata/deletionGracePeriodSeconds")
            .and_then(Value::as_i64);
        deleting
            && grace.unwrap_or_default() == 0
            && names(metadata_mut(new), "finalizers").is_empty()
            && !self.strategy.must_stay(new)
    }

    async fn remove_finished(
        &self,
        context: &WriteContext,
        mut last: Value,
        current: &Arc<StoredObject>,
    ) -> Result<Attempt, ApiError> {
        set_resource_version(&mut last, 0);
        let stored = self.encode(&last)?;
        if context.dry_run {
            return self
                .decode(current.key(), stored, current.resource_version())
                .map(Attempt::Done);
        }
        match self.erase(current).await? {
            Some(_) => self
                .decode(current.key(), stored, current.resource_version())
                .map(Attempt::Done),
            None => Ok(Attempt::SomebodyElseWasFaster),
        }
    }
}

/// The version in the metadata of a request, 0 for none.
fn requested_version(metadata: &serde_json::Map<String, Value>) -> Result<u64, ApiError> {
    match text(metadata, "resourceVersion") {
        "" => Ok(0),
        version => {
            let wrong = |error| ApiError::unclassified(number_error("ParseUint", version, &error));
            version.parse().map_err(wrong)
        }
    }
}

/// What no update changes: it is taken from the old object where a client left it out or may not set it.
fn keep_fixed_metadata(new: &mut Value, old: &Value) {
    let old_field = |field: &str| old.get("metadata").and_then(|metadata| metadata.get(field)).cloned();
    set_field(new, "creationTimestamp", old_field("creationTimestamp"));
    if text(metadata_mut(new), "uid").is_empty() {
        set_field(new, "uid", old_field("uid"));
    }
    let grace = "deletionGracePeriodSeconds";
    match old_field("deletionTimestamp") {
        Some(deleted) => {
            set_field(new, "deletionTimestamp", Some(deleted));
            if !metadata_mut(new).contains_key(grace) {
                set_field(new, grace, old_field(grace));
            }
        }
        None => {
            if metadata_mut(new).get("deletionTimestamp").is_some_and(Value::is_null) {
                set_field(new, "deletionTimestamp", None);
            }
        }
    }
}

fn set_field(object: &mut Value, field: &str, value: Option<Value>) {
    let metadata = metadata_mut(object);
    match value {
        Some(value) => metadata.insert(field.to_owned(), value),
        None => metadata.remove(field),
    };
}
