//! Establishes definitions whose names are accepted: from then on clients can count on the resource.

use std::sync::Arc;

use async_trait::async_trait;
use kubewire_client::ObjectKey;
use kubewire_informers::controller::{Action, ReconcileError, Reconciler};

use super::{DONE, Definitions};
use crate::apiextensions::condition_is_true;
use crate::apiextensions::customresourcedefinition::set_condition;
use crate::apiextensions::handler::CrdHandler;

/// Sets the condition `Established`.
pub(super) struct EstablishingController {
    pub(super) definitions: Definitions,
    pub(super) handler: Arc<CrdHandler>,
}

#[async_trait]
impl Reconciler<ObjectKey> for EstablishingController {
    async fn reconcile(&self, key: &ObjectKey) -> Result<Action, ReconcileError> {
        let Some(mut definition) = self.definitions.get(key)? else {
            return DONE;
        };
        if !condition_is_true(&definition, "NamesAccepted") || condition_is_true(&definition, "Established") {
            return DONE;
        }
        let message = "the initial names have been accepted";
        let now = self.definitions.now();
        set_condition(
            &mut definition,
            ("Established", "True", "InitialNamesAccepted", message),
            &now,
        );
        // Who sees the condition must find the resource: the handler knows first.
        self.handler.update(definition.clone());
        self.definitions.update_status(definition).await?;
        DONE
    }
}
