//! Creation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Store;
use super::fields::{metadata_mut, seconds, text};
use crate::registry::admission::Operation;
use crate::registry::object::StoredObject;
use crate::registry::query::WriteContext;
use crate::registry::strategy::invalid;
use crate::registry::validation::metadata;
use crate::status::ApiError;
use crate::storage::{Change, Expected, Swap};

/// How often another name is generated when one is taken.
const NAME_ATTEMPTS: usize = 8;
/// The longest part of `generateName` that is used, so that a name with its suffix is a DNS label.
const GENERATED_BASE_MAX: usize = 58;

impl Store {
    /// Creates an object in a namespace (`""` for cluster-scoped resources).
    ///
    /// # Errors
    /// 400 for another namespace inside of the object, 409 for a name that is taken, 422 for an object that breaks
    /// rules.
    pub async fn create(
        &self,
        context: &WriteContext,
        namespace: &str,
        document: Value,
    ) -> Result<Arc<StoredObject>, ApiError> {
        let mut document = document;
        let metadata = metadata_mut(&mut document);
        let generates = text(metadata, "name").is_empty() && !text(metadata, "generateName").is_empty();
        let versioned = !text(metadata, "resourceVersion").is_empty();
        let mut attempts = if generates { NAME_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            // Only who tries again needs it once more.
            let mut object = match attempts {
                0 => std::mem::take(&mut document),
                _ => document.clone(),
            };
            self.prepare_for_create(context, namespace, &mut object).await?;
            let admitted = context.admission.validate(Operation::Create, Some(&object), None).await;
            if let Err(refused) = admitted {
                self.give_back(context, &object, None).await;
                return Err(refused);
            }
            let name = text(metadata_mut(&mut object), "name").to_owned();
            // The storage refuses it, which a dry run does not reach.
            if versioned && !context.dry_run {
                self.give_back(context, &object, None).await;
                let message = "resourceVersion should not be set on objects to be created";
                return Err(ApiError::unclassified(message));
            }
            match self.insert(context, namespace, &name, object).await? {
                Some(created) => return Ok(created),
                None if attempts > 0 => {}
                None if generates => return Err(ApiError::generate_name_conflict(&self.resource(), &name)),
                None => return Err(self.taken(namespace, &name).await),
            }
        }
    }

    /// The error for a name that another object has.
    async fn taken(&self, namespace: &str, name: &str) -> ApiError {
        let error = ApiError::already_exists(&self.resource(), name);
        let other = self.read(&self.info.key(namespace, name)).await;
        let is_going = |other: &StoredObject| !other.document()["metadata"]["deletionTimestamp"].is_null();
        match other.ok().flatten().is_some_and(|other| is_going(&other)) {
            true => {
                let message = format!("object is being deleted: {}", error.message());
                error.with_message(message)
            }
            false => error,
        }
    }

    /// Everything up to storing: metadata, forced values, defaults and rules.
    pub(super) async fn prepare_for_create(
        &self,
        context: &WriteContext,
        namespace: &str,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        self.set_type(object);
        self.set_namespace(namespace, object)?;
        wipe_system_fields(object);
        let metadata = metadata_mut(object);
        metadata.remove("resourceVersion");
        metadata.insert("uid".to_owned(), context.ids.uid().into());
        metadata.insert("creationTimestamp".to_owned(), seconds(context.clock.now()).into());
        if self.strategy.has_generation() {
            metadata.insert("generation".to_owned(), json!(1));
        }
        let base = text(metadata, "generateName");
        if text(metadata, "name").is_empty() && !base.is_empty() {
            let mut end = base.len().min(GENERATED_BASE_MAX);
            while !base.is_char_boundary(end) {
                end -= 1;
            }
            let name = format!("{}{}", base.get(..end).unwrap_or_default(), context.ids.name_suffix());
            metadata.insert("name".to_owned(), name.into());
        }
        self.strategy.default_object(object);
        self.track_fields(context, &Value::Null, object);
        self.strategy.allocate(context, object, None).await?;
        self.strategy.prepare_for_create(object, context);
        let mut errors = metadata::validate(object, self.info.namespaced, self.strategy.name_rule());
        errors.extend(self.strategy.validate(object));
        if errors.is_empty() {
            context.warnings.extend(self.strategy.warnings(object, None));
            return Ok(());
        }
        self.give_back(context, object, None).await;
        Err(invalid(&self.info, text(metadata_mut(object), "name"), errors))
    }

    /// Gives back what was taken for an object that is not stored after all.
    pub(super) async fn give_back(&self, context: &WriteContext, object: &Value, kept: Option<&Value>) {
        if !context.dry_run {
            self.strategy.release(object, kept).await;
        }
    }

    /// Stores a new object; `None` if there is one already.
    pub(super) async fn insert(
        &self,
        context: &WriteContext,
        namespace: &str,
        name: &str,
        object: Value,
    ) -> Result<Option<Arc<StoredObject>>, ApiError> {
        let key: Arc<str> = self.info.key(namespace, name).into();
        let stored = self.encode(&object)?;
        if context.dry_run {
            let taken = self.read(&key).await?.is_some();
            return if taken {
                Ok(None)
            } else {
                self.decode(&key, stored, 0).map(Some)
            };
        }
        // Nothing is written that the cache does not see as a change.
        self.cacher.wait_until(0).await?;
        let change = Change::Put {
            value: stored.clone(),
            ttl: self.strategy.ttl(&object),
        };
        match self.swap(&key, Expected::Absent, change).await {
            Ok(Swap::Done { revision }) => Ok(Some(self.written(&key, stored, revision))),
            Ok(Swap::Conflict { .. }) => {
                self.give_back(context, &object, None).await;
                Ok(None)
            }
            Err(error) => {
                self.give_back(context, &object, None).await;
                Err(error)
            }
        }
    }

    /// The object's own kind and version, whatever the client wrote.
    pub(super) fn set_type(&self, object: &mut Value) {
        if !object.is_object() {
            *object = json!({});
        }
        if let Some(fields) = object.as_object_mut() {
            fields.insert("apiVersion".to_owned(), self.info.api_version().into());
            fields.insert("kind".to_owned(), self.info.kind.as_ref().into());
        }
    }

    /// The namespace is that of the request; the object may leave it out but not name another.
    pub(super) fn set_namespace(&self, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
        let metadata = metadata_mut(object);
        if !self.info.namespaced {
            metadata.remove("namespace");
            return Ok(());
        }
        match text(metadata, "namespace") {
            "" => {
                metadata.insert("namespace".to_owned(), namespace.into());
                Ok(())
            }
            own if own == namespace => Ok(()),
            _ => Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            )),
        }
    }
}

/// Takes away what only the server sets.
pub(super) fn wipe_system_fields(object: &mut Value) {
    let metadata = metadata_mut(object);
    for field in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        metadata.remove(field);
    }
}
