//! The garbage collector: deletes what nobody owns any more.
//!
//! It follows the metadata of every resource that can be deleted, and works on one object at a time:
//! - an object whose owners are all gone is deleted; one that still has an owner loses the references to those that
//!   are gone;
//! - an object that is being deleted in the foreground goes when none of the dependents is left that block it;
//! - the dependents of an object that is to leave orphans lose their reference to it, then it goes.
//!
//! When resources come or go with definitions of custom resources, it begins anew.

mod collector;
mod metadata;
mod resources;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kubewire_client::Client;
use kubewire_informers::{Controller, EventHandlerFuncs};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::collector::Collector;
use self::resources::Resources;
use crate::generic::delegation::DelegationTarget;
use crate::generic::discovery::GroupDiscovery;
use crate::generic::hooks::{HookError, PostStartHook};

/// How many objects are worked on at once, as in kube-controller-manager.
const CONCURRENCY: usize = 20;

/// How often resources are looked up that nobody has told of, as in kube-controller-manager.
const RESYNC: Duration = Duration::from_secs(30);

pub(super) fn hook(target: Arc<dyn DelegationTarget>) -> PostStartHook {
    PostStartHook::new("start-garbage-collector", move |context| {
        let target = target.clone();
        async move {
            let changed = Arc::new(Notify::new());
            let tell = || {
                let changed = changed.clone();
                move || changed.notify_one()
            };
            let (added, updated, deleted) = (tell(), tell(), tell());
            let definitions = context.informers.informer::<CustomResourceDefinition>();
            definitions.add_handler(
                EventHandlerFuncs::new()
                    .on_add(move |_, _| added())
                    .on_update(move |_, _| updated())
                    .on_delete(move |_, _| deleted()),
            )?;
            definitions.start();
            let client = context.clientset().client().clone();
            let stop = context.lifecycle.shutdown_initiated.clone();
            context.tasks.spawn(async move {
                while !stop.is_cancelled() {
                    let groups = target.groups();
                    let until = stop.child_token();
                    let outdated = async {
                        while target.groups() == groups {
                            // Whoever serves a new resource may hear of it later than this.
                            let _ = tokio::time::timeout(RESYNC, changed.notified()).await;
                        }
                        until.cancel();
                    };
                    let collecting = collect(&groups, &client, until.clone());
                    let stopped = async {
                        tokio::select! {
                            () = outdated => {}
                            () = until.cancelled() => {}
                        }
                    };
                    if let (Err(error), ()) = tokio::join!(collecting, stopped) {
                        tracing::warn!(%error, "the garbage collector begins anew");
                    }
                }
            });
            Ok(())
        }
    })
}

/// Follows the resources of these groups until it is told to stop.
async fn collect(groups: &[GroupDiscovery], client: &Client, stop: CancellationToken) -> Result<(), HookError> {
    let resources = Arc::new(Resources::new(groups, client)?);
    let mut controller = Controller::new("garbage-collector").concurrency(CONCURRENCY);
    resources.feed(&mut controller)?;
    let collector = Arc::new(Collector {
        resources: resources.clone(),
    });
    let reconcile = move |item| {
        let collector = collector.clone();
        async move { collector.attempt(&item).await }
    };
    let ended = controller.run(reconcile, stop).await;
    resources.shutdown().await;
    Ok(ended?)
}
