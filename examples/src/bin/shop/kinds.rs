//! The kinds this program watches: how to create one from a manifest, and how to follow it with an informer.

use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, LimitRange, Namespace, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::api::storage::v1::StorageClass;
use kubewire_client::{Api, Client, Object, WriteOptions};
use kubewire_informers::{CachedObject, EventHandlerFuncs, InformerStats, SharedInformerFactory};

use crate::board::Board;
use crate::error::Error;
use crate::events::{Change, Seen};
use crate::manifests::Manifest;

/// One kind: functions made for its type, so that the rest of the program needs no generics.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) api_version: String,
    create: fn(Client, Manifest) -> BoxFuture<'static, Result<(), Error>>,
    watch: fn(&SharedInformerFactory, Arc<Board>, usize) -> Result<Watched, Error>,
}

/// Every kind of the shop, in the order of the table on the screen.
pub(crate) fn all() -> Vec<Kind> {
    vec![
        kind::<Namespace>(),
        kind::<Pod>(),
        kind::<Deployment>(),
        kind::<StatefulSet>(),
        kind::<DaemonSet>(),
        kind::<Job>(),
        kind::<CronJob>(),
        kind::<Service>(),
        kind::<EndpointSlice>(),
        kind::<Ingress>(),
        kind::<NetworkPolicy>(),
        kind::<ConfigMap>(),
        kind::<Secret>(),
        kind::<ServiceAccount>(),
        kind::<Role>(),
        kind::<RoleBinding>(),
        kind::<HorizontalPodAutoscaler>(),
        kind::<PodDisruptionBudget>(),
        kind::<PersistentVolumeClaim>(),
        kind::<StorageClass>(),
        kind::<PriorityClass>(),
        kind::<ResourceQuota>(),
        kind::<LimitRange>(),
        kind::<Lease>(),
        kind::<Event>(),
    ]
}

fn kind<K: Object>() -> Kind {
    Kind {
        name: K::KIND,
        api_version: K::gvk().api_version(),
        create: |client, manifest| Box::pin(create::<K>(client, manifest)),
        watch: watch::<K>,
    }
}

impl Kind {
    /// Creates the object of a manifest of this kind.
    pub(crate) async fn create(&self, client: Client, manifest: Manifest) -> Result<(), Error> {
        (self.create)(client, manifest).await
    }

    /// Follows this kind with an informer whose events go to one row of the board.
    pub(crate) fn watch(
        &self,
        factory: &SharedInformerFactory,
        board: Arc<Board>,
        row: usize,
    ) -> Result<Watched, Error> {
        (self.watch)(factory, board, row)
    }
}

/// Creates the object; one that is there already is left as it is.
async fn create<K: Object>(client: Client, manifest: Manifest) -> Result<(), Error> {
    let name = manifest.name().to_owned();
    let object: K = serde_json::from_value(manifest.object).map_err(|source| Error::ManifestType {
        file: manifest.file,
        kind: K::KIND.to_owned(),
        name,
        source,
    })?;
    let namespace = object.metadata().namespace.clone().unwrap_or_default();
    match Api::<K>::namespaced(client, &namespace)
        .create(&object, &WriteOptions::default())
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if error.is_already_exists() => Ok(()),
        Err(error) => Err(Error::Request(error)),
    }
}

/// Has every event of the kind noted on the board.
fn watch<K: Object>(factory: &SharedInformerFactory, board: Arc<Board>, row: usize) -> Result<Watched, Error> {
    let informer = factory.informer::<K>();
    let note = move |change, object: &CachedObject<K>| {
        board.note(
            row,
            Seen {
                at: board.elapsed(),
                change,
                kind: K::KIND,
                key: object.key().to_string(),
                resource_version: object.header().resource_version.to_string(),
            },
        );
    };
    let (add, update, sync, delete) = (note.clone(), note.clone(), note.clone(), note);
    let handler = EventHandlerFuncs::new()
        .on_add(move |object, _| add(Change::Add, object))
        .on_update(move |_, object| update(Change::Update, object))
        .on_sync(move |object| sync(Change::Sync, object))
        .on_delete(move |object, _| delete(Change::Delete, object));
    informer
        .add_handler(handler)
        .map_err(|error| Error::Sync(error.to_string()))?;
    Ok(Watched {
        stats: Box::new(move || informer.stats()),
    })
}

/// A kind that is being watched: the figures of its informer, whatever its type.
pub(crate) struct Watched {
    stats: Box<dyn Fn() -> InformerStats + Send + Sync>,
}

impl Watched {
    pub(crate) fn stats(&self) -> InformerStats {
        (self.stats)()
    }
}
