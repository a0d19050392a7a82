//! What becomes of one object.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, OwnerReference, Preconditions};
use kubewire_client::api::{Patch, PatchOptions};
use kubewire_client::{Error, Object};
use kubewire_informers::controller::{Action, ReconcileError};
use serde_json::{Value, json};

use super::metadata::Metadata;
use super::resources::{Item, Resources};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

pub(super) struct Collector {
    pub(super) resources: Arc<Resources>,
}

/// What is known of an owner.
#[derive(Debug, PartialEq)]
enum Owner {
    /// It is there, or nobody can say.
    Solid,
    /// It waits for its dependents to go first.
    Waiting,
    /// It is gone.
    Gone,
}

impl Collector {
    /// Looks at an object and does what is due.
    pub(super) async fn attempt(&self, item: &Item) -> Result<Action, ReconcileError> {
        let Some(object) = self.live(item).await? else {
            return Ok(Action::Done);
        };
        if object.metadata().deletion_timestamp.is_some() {
            self.finish(item, &object).await?;
            return Ok(Action::Done);
        }
        if !object.owners().is_empty() {
            self.check_owners(item, &object).await?;
        }
        Ok(Action::Done)
    }

    /// The object as it is now; nothing if it is gone or another one has its name.
    async fn live(&self, item: &Item) -> Result<Option<Metadata>, Error> {
        let Some(api) = self.resources.get(item) else {
            return Ok(None);
        };
        match api.get(&item.key.name).await {
            Ok(object) => Ok(Some(Metadata::from(object)).filter(|object| uid(object) == item.uid)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes the object if it has no owner left; takes away references to owners that are gone if it has others.
    async fn check_owners(&self, item: &Item, object: &Metadata) -> Result<(), Error> {
        let mut solid = Vec::new();
        let mut waiting = false;
        for reference in object.owners() {
            match self.owner(item, reference).await? {
                Owner::Solid => solid.push(reference),
                Owner::Waiting => waiting = true,
                Owner::Gone => {}
            }
        }
        if !solid.is_empty() {
            if solid.len() < object.owners().len() {
                self.patch(item, object, json!({ "ownerReferences": solid })).await?;
            }
            return Ok(());
        }
        let has = |finalizer| finalizers(object).iter().any(|own| own == finalizer);
        let blocks_others = waiting && !self.resources.dependents(&item.uid).is_empty();
        let policy = match (has(ORPHAN), has(FOREGROUND) || blocks_others) {
            (true, _) => "Orphan",
            (false, true) => "Foreground",
            (false, false) => "Background",
        };
        self.delete(item, policy).await
    }

    async fn owner(&self, item: &Item, reference: &OwnerReference) -> Result<Owner, Error> {
        let Some(owner) = self.resources.owner(reference, &item.key.namespace) else {
            return Ok(Owner::Solid);
        };
        let Some(object) = self.live(&owner).await? else {
            return Ok(Owner::Gone);
        };
        let deleting = object.metadata().deletion_timestamp.is_some();
        let waits = deleting && finalizers(&object).iter().any(|finalizer| finalizer == FOREGROUND);
        Ok(if waits { Owner::Waiting } else { Owner::Solid })
    }

    /// Does what the finalizers of an object that is being deleted are for.
    async fn finish(&self, item: &Item, object: &Metadata) -> Result<(), Error> {
        let finalizers = finalizers(object);
        let has = |finalizer: &str| finalizers.iter().any(|own| own == finalizer);
        if has(ORPHAN) {
            for (dependent, _) in self.resources.dependents(&item.uid) {
                self.orphan(&dependent, &item.uid).await?;
            }
            self.take_off(item, object, ORPHAN).await
        } else if has(FOREGROUND) {
            let blocks =
                |reference: &OwnerReference| reference.uid == item.uid && reference.block_owner_deletion == Some(true);
            let dependents = self.resources.dependents(&item.uid);
            let blocked = dependents.iter().any(|(_, dependent)| {
                let decoded = dependent.decode();
                decoded.is_ok_and(|dependent| dependent.owners().iter().any(blocks))
            });
            // Each dependent is in the queue, too, and this object comes back when it goes.
            if blocked {
                Ok(())
            } else {
                self.take_off(item, object, FOREGROUND).await
            }
        } else {
            Ok(())
        }
    }

    /// Takes the reference to an owner off a dependent.
    async fn orphan(&self, item: &Item, owner: &str) -> Result<(), Error> {
        let Some(object) = self.live(item).await? else {
            return Ok(());
        };
        let left: Vec<_> = object
            .owners()
            .iter()
            .filter(|reference| reference.uid != owner)
            .collect();
        if left.len() == object.owners().len() {
            return Ok(());
        }
        self.patch(item, &object, json!({ "ownerReferences": left })).await
    }

    async fn take_off(&self, item: &Item, object: &Metadata, finalizer: &str) -> Result<(), Error> {
        let left: Vec<_> = finalizers(object).iter().filter(|own| *own != finalizer).collect();
        self.patch(item, object, json!({ "finalizers": left })).await
    }

    /// Changes metadata, if the object still is what it was when it was looked at.
    async fn patch(&self, item: &Item, object: &Metadata, mut metadata: Value) -> Result<(), Error> {
        let Some(api) = self.resources.get(item) else {
            return Ok(());
        };
        metadata["uid"] = item.uid.clone().into();
        metadata["resourceVersion"] = object.metadata().resource_version.clone().into();
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        let patched = api.patch(&item.key.name, &patch, &PatchOptions::default()).await;
        unless_gone(patched.map(drop))
    }

    async fn delete(&self, item: &Item, policy: &str) -> Result<(), Error> {
        let Some(api) = self.resources.get(item) else {
            return Ok(());
        };
        let options = DeleteOptions {
            preconditions: Some(Preconditions {
                uid: Some(item.uid.clone()),
                ..Preconditions::default()
            }),
            propagation_policy: Some(policy.to_owned()),
            ..DeleteOptions::default()
        };
        unless_gone(api.delete(&item.key.name, &options).await.map(drop))
    }
}

fn unless_gone(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}

fn uid(object: &Metadata) -> &str {
    object.metadata().uid.as_deref().unwrap_or_default()
}

fn finalizers(object: &Metadata) -> &[String] {
    object.metadata().finalizers.as_deref().unwrap_or_default()
}
