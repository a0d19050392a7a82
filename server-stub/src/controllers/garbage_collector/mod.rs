//! The garbage collector: deletes what nobody owns any more.
//!
//! It follows the metadata of every resource that can be deleted, and works on one object at a time:
//! - an object whose owners are all gone is deleted; one that still has an owner loses the references to those that
//!   are gone;
//! - an object that is being deleted in the foreground goes when none of the dependents is left that block it;
//! - the dependents of an object that is to leave orphans lose their reference to it, then it goes.
//!
//! Resources that are added after the start are not followed.

mod collector;
mod metadata;
mod resources;

use std::sync::Arc;

use kubewire_informers::Controller;

use self::collector::Collector;
use self::resources::Resources;
use crate::generic::delegation::DelegationTarget;
use crate::generic::hooks::PostStartHook;

/// How many objects are worked on at once, as in kube-controller-manager.
const CONCURRENCY: usize = 20;

pub(super) fn hook(target: Arc<dyn DelegationTarget>) -> PostStartHook {
    PostStartHook::new("start-garbage-collector", move |context| {
        let target = target.clone();
        async move {
            let resources = Arc::new(Resources::new(&target.groups(), context.clientset().client())?);
            let mut controller = Controller::new("garbage-collector").concurrency(CONCURRENCY);
            resources.feed(&mut controller)?;
            let collector = Arc::new(Collector {
                resources: resources.clone(),
            });
            let stop = context.lifecycle.shutdown_initiated.clone();
            context.tasks.spawn(async move {
                let reconcile = move |item| {
                    let collector = collector.clone();
                    async move { collector.attempt(&item).await }
                };
                if let Err(error) = controller.run(reconcile, stop).await {
                    tracing::warn!(%error, "the garbage collector has ended");
                }
                resources.shutdown().await;
            });
            Ok(())
        }
    })
}
