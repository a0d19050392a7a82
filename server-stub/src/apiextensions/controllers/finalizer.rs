//! Deletes the objects of a definition that is being deleted, then lets the definition go.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kubewire_client::ObjectKey;
use kubewire_informers::controller::{Action, ReconcileError, Reconciler};
use serde_json::Value;

use super::{DONE, Definitions};
use crate::apiextensions::condition_is_true;
use crate::apiextensions::customresourcedefinition::{FINALIZER, set_condition};
use crate::apiextensions::handler::CrdHandler;
use crate::registry::validation::values::{items, put};

/// How soon objects are looked at again that have finalizers of their own.
const RETRY: Duration = Duration::from_millis(200);

/// Works on definitions with a deletion timestamp.
pub(super) struct CrdFinalizer {
    pub(super) definitions: Definitions,
    pub(super) handler: Arc<CrdHandler>,
}

#[async_trait]
impl Reconciler<ObjectKey> for CrdFinalizer {
    async fn reconcile(&self, key: &ObjectKey) -> Result<Action, ReconcileError> {
        let Some(mut definition) = self.definitions.get(key)? else {
            return DONE;
        };
        let finalizers = items(&definition, "/metadata/finalizers");
        let is_held = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
        if definition["metadata"]["deletionTimestamp"].is_null() || !is_held {
            return DONE;
        }
        // From here on nothing new is made.
        self.handler.update(definition.clone());
        let before = definition.clone();
        let in_progress = (
            "Terminating",
            "True",
            "InstanceDeletionInProgress",
            "CustomResource deletion is in progress",
        );
        set_condition(&mut definition, in_progress, &self.definitions.now());
        if definition["status"] != before["status"] {
            // The next round deletes them: the change of the condition leads to it.
            self.definitions.update_status(definition).await?;
            return DONE;
        }
        let outcome = match condition_is_true(&definition, "Established") {
            true => self.handler.delete_objects(&key.name).await,
            false => Ok(0),
        };
        let now = self.definitions.now();
        match outcome {
            Ok(0) => {
                let state = match condition_is_true(&definition, "Established") {
                    true => (
                        "Terminating",
                        "False",
                        "InstanceDeletionCompleted",
                        "removed all instances",
                    ),
                    false => (
                        "Terminating",
                        "False",
                        "NeverEstablished",
                        "resource was never established",
                    ),
                };
                set_condition(&mut definition, state, &now);
                let others = items(&definition, "/metadata/finalizers").iter();
                let others: Vec<Value> = others.filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
                put(&mut definition, &["metadata", "finalizers"], Value::Array(others));
                self.definitions.update_status(definition).await?;
                return DONE;
            }
            Ok(_) => {}
            Err(error) => {
                let message = format!("could not list instances: {error}");
                let state = ("Terminating", "True", "InstanceDeletionFailed", message.as_str());
                set_condition(&mut definition, state, &now);
            }
        }
        if definition["status"] != before["status"] {
            self.definitions.update_status(definition).await?;
        }
        Ok(Action::RequeueAfter(RETRY))
    }
}
