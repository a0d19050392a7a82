//! Deletion: at once, after a grace period, or when the last finalizer is gone.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Store;
use super::fields::{metadata_mut, names, seconds, text};
use crate::registry::object::{StoredObject, set_resource_version};
use crate::registry::query::{
    DeleteOptions, DeleteOutcome, ListQuery, ListResult, Preconditions, PropagationPolicy, WriteContext,
};
use crate::registry::strategy::{GarbageCollection, group_kind};
use crate::status::ApiError;
use crate::storage::{Change, Expected, Swap};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// What a deletion does next.
enum Step {
    /// Nothing: the object is being deleted already.
    Pending,
    /// Remove it.
    Remove,
    /// Mark it; with `true` nothing holds it any more and it can be removed after that.
    Mark(bool),
}

impl Store {
    /// Deletes an object, or marks it for deletion where it may take its time or has finalizers.
    ///
    /// # Errors
    /// 404, 409 when a precondition does not fit, 403 for objects that cannot be deleted.
    pub async fn delete(
        &self,
        context: &WriteContext,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
    ) -> Result<DeleteOutcome, ApiError> {
        let key = self.info.key(namespace, name);
        loop {
            let current = self.read(&key).await?.ok_or_else(|| self.not_found(name))?;
            if options.ignore_store_read_error {
                let message = "unsafe deletion is not allowed because the object is decodable from storage";
                return Err(self.unfit(&key, name, message));
            }
            if let Some(outcome) = self.try_delete(context, &options, &current).await? {
                return Ok(outcome);
            }
        }
    }

    /// Deletes all objects that a query selects; gives those that were selected.
    ///
    /// # Errors
    /// Those of [`Store::list`] and [`Store::delete`]; objects that others delete meanwhile are no error.
    pub async fn delete_collection(
        &self,
        context: &WriteContext,
        namespace: &str,
        query: &ListQuery,
        options: DeleteOptions,
    ) -> Result<ListResult, ApiError> {
        let list = self.list(namespace, query).await?;
        for object in &list.items {
            let header = object.header();
            match self
                .delete(context, &header.namespace, &header.name, options.clone())
                .await
            {
                Ok(_) => {}
                Err(error) if error.reason() == "NotFound" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(list)
    }

    /// One try; nothing if somebody else changed the object meanwhile.
    async fn try_delete(
        &self,
        context: &WriteContext,
        options: &DeleteOptions,
        current: &Arc<StoredObject>,
    ) -> Result<Option<DeleteOutcome>, ApiError> {
        self.check_delete_preconditions(&options.preconditions, current)?;
        let old = current.document();
        self.strategy.check_delete(&old)?;
        context.admission.delete(&old).await?;
        let mut marked = (*old).clone();
        match self.mark(context, options, &mut marked) {
            Step::Pending => Ok(Some(DeleteOutcome::Marked(current.clone()))),
            Step::Remove => self.remove(context, current).await,
            Step::Mark(then_remove) => {
                let Some(marked) = self.store_mark(context, marked, current).await? else {
                    return Ok(None);
                };
                match then_remove {
                    true => self.remove(context, &marked).await,
                    false => Ok(Some(DeleteOutcome::Marked(marked))),
                }
            }
        }
    }

    /// Writes into the object what its deletion means: `rest.BeforeDelete` and the finalizers of garbage collection.
    fn mark(&self, context: &WriteContext, options: &DeleteOptions, object: &mut Value) -> Step {
        let mut options = options.clone();
        // Negative values stand for a second.
        options.grace_period_seconds = options.grace_period_seconds.map(|s| if s < 0 { 1 } else { s });
        let grace = self.strategy.grace_period(object, &options);
        let already = text(metadata_mut(object), "deletionTimestamp")
            .parse::<jiff::Timestamp>()
            .ok();
        if let (Some(end), Some(_)) = (already, grace) {
            return self.shorten(options.grace_period_seconds, object, end);
        }
        let must_stay = self.strategy.must_stay(object);
        if already.is_some() && must_stay {
            return Step::Pending;
        }
        let finalizers = self.finalizers(&options, object);
        if finalizers != names(metadata_mut(object), "finalizers") {
            let value = (!finalizers.is_empty()).then(|| json!(finalizers));
            set(object, "finalizers", value);
        }
        let held = !finalizers.is_empty() || must_stay;
        match grace {
            Some(seconds) => {
                self.set_deletion(context, object, seconds);
                Step::Mark(seconds == 0 && !held)
            }
            None if held => {
                match already {
                    Some(_) => set(object, "deletionGracePeriodSeconds", Some(json!(0))),
                    // Namespaces and definitions of custom resources have no grace period.
                    None if must_stay => set(object, "deletionTimestamp", Some(seconds(context.clock.now()).into())),
                    None => self.set_deletion(context, object, 0),
                }
                if already.is_none() {
                    self.strategy.mark_deleted(object);
                }
                Step::Mark(false)
            }
            None => Step::Remove,
        }
    }

    /// An object that is being deleted can only be hurried up.
    fn shorten(&self, wanted: Option<i64>, object: &mut Value, end: jiff::Timestamp) -> Step {
        let metadata = metadata_mut(object);
        let grace = metadata
            .get("deletionGracePeriodSeconds")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let Some(wanted) = wanted.filter(|wanted| *wanted < grace) else {
            return Step::Pending;
        };
        let end = end
            .saturating_sub(SignedDuration::from_secs(grace - wanted))
            .unwrap_or(end);
        let held = !names(metadata, "finalizers").is_empty();
        set(object, "deletionTimestamp", Some(seconds(end).into()));
        set(object, "deletionGracePeriodSeconds", Some(json!(wanted)));
        Step::Mark(wanted == 0 && !held)
    }

    fn set_deletion(&self, context: &WriteContext, object: &mut Value, grace: i64) {
        let now = context.clock.now();
        let end = now.saturating_add(SignedDuration::from_secs(grace)).unwrap_or(now);
        set(object, "deletionTimestamp", Some(seconds(end).into()));
        set(object, "deletionGracePeriodSeconds", Some(json!(grace)));
        let generation = object
            .pointer("/metadata/generation")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        if generation > 0 {
            set(object, "generation", Some(json!(generation + 1)));
        }
    }

    /// The finalizers that the propagation policy demands, behind those that others have put there.
    fn finalizers(&self, options: &DeleteOptions, object: &mut Value) -> Vec<String> {
        let present = names(metadata_mut(object), "finalizers");
        let default = self.strategy.garbage_collection();
        if default == GarbageCollection::Unsupported {
            return present;
        }
        let has = |name: &str| present.iter().any(|finalizer| finalizer == name);
        let wanted = match options.propagation_policy {
            Some(PropagationPolicy::Orphan) => Some(ORPHAN),
            Some(PropagationPolicy::Foreground) => Some(FOREGROUND),
            Some(PropagationPolicy::Background) => None,
            None if has(ORPHAN) => Some(ORPHAN),
            None if has(FOREGROUND) => Some(FOREGROUND),
            None => (default == GarbageCollection::Orphan).then_some(ORPHAN),
        };
        if wanted.is_some_and(has) && !(has(ORPHAN) && has(FOREGROUND)) {
            return present;
        }
        let others = present
            .into_iter()
            .filter(|finalizer| finalizer != ORPHAN && finalizer != FOREGROUND);
        others.chain(wanted.map(str::to_owned)).collect()
    }

    async fn store_mark(
        &self,
        context: &WriteContext,
        mut marked: Value,
        current: &Arc<StoredObject>,
    ) -> Result<Option<Arc<StoredObject>>, ApiError> {
        set_resource_version(&mut marked, 0);
        let stored = self.encode(&marked)?;
        if context.dry_run || stored == *current.stored() {
            return self.decode(current.key(), stored, current.resource_version()).map(Some);
        }
        let change = Change::Put {
            value: stored.clone(),
            ttl: self.strategy.ttl(&marked),
        };
        let expected = Expected::Revision(current.resource_version());
        match self.swap(current.key(), expected, change).await? {
            Swap::Done { revision } => self.decode(current.key(), stored, revision).map(Some),
            Swap::Conflict { .. } => Ok(None),
        }
    }

    async fn remove(
        &self,
        context: &WriteContext,
        current: &Arc<StoredObject>,
    ) -> Result<Option<DeleteOutcome>, ApiError> {
        if context.dry_run {
            return Ok(Some(DeleteOutcome::Deleted(current.clone())));
        }
        let revision = self.erase(current).await?;
        Ok(revision.map(|revision| DeleteOutcome::Deleted(Arc::new(current.at_version(revision)))))
    }

    /// Takes an object out of storage and gives back what it held; the revision of that, or `None` where somebody else
    /// was faster.
    pub(super) async fn erase(&self, current: &StoredObject) -> Result<Option<u64>, ApiError> {
        let expected = Expected::Revision(current.resource_version());
        match self.swap(current.key(), expected, Change::Delete).await? {
            Swap::Done { revision } => {
                self.strategy.release(&current.document(), None).await;
                Ok(Some(revision))
            }
            Swap::Conflict { .. } => Ok(None),
        }
    }

    /// The preconditions of a deletion; kube-apiserver words them otherwise than those of an update.
    fn check_delete_preconditions(&self, wanted: &Preconditions, current: &StoredObject) -> Result<(), ApiError> {
        let header = current.header();
        if let Some(words) = self.strategy.precondition_words() {
            return match wanted.broken_by(&header) {
                Some(broken) => Err(ApiError::conflict(
                    &self.resource(),
                    &header.name,
                    format!("{words}: {broken}"),
                )),
                None => Ok(()),
            };
        }
        let failed = |message: String| Err(ApiError::conflict(&group_kind(&self.info), &header.name, message));
        if let Some(uid) = wanted.uid.as_ref().filter(|uid| **uid != header.uid) {
            return failed(format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been \
                 deleted and then recreated",
                header.uid
            ));
        }
        let version = header.resource_version.as_str();
        if let Some(wanted) = wanted.resource_version.as_ref().filter(|wanted| *wanted != version) {
            return failed(format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record \
                 ({version}). The object might have been modified"
            ));
        }
        Ok(())
    }
}

fn set(object: &mut Value, field: &str, value: Option<Value>) {
    let metadata = metadata_mut(object);
    match value {
        Some(value) => metadata.insert(field.to_owned(), value),
        None => metadata.remove(field),
    };
}
