//! What keeps definitions and the resources behind them up to date: ordinary controllers over the loopback connection.

mod api_approval;
mod establishing;
mod finalizer;
mod naming;

use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kubewire_client::dynamic::{ApiResource, DynamicApi, DynamicObject};
use kubewire_client::{Error, ObjectKey, WriteOptions};
use kubewire_informers::controller::{Action, ReconcileError, Reconciler};
use kubewire_informers::{CachedObject, EventHandlerFuncs, Lister, SharedInformer};
use serde_json::Value;

use super::handler::CrdHandler;
use crate::aggregator::ServiceResolver;
use crate::generic::clock::Clock;
use crate::generic::hooks::{HookContext, HookError, PostStartHook};
use crate::generic::server::GenericApiServer;

/// Adds the controllers. `handler` is told of every change of a definition.
pub(super) fn add_to(server: &mut GenericApiServer, handler: Arc<CrdHandler>) {
    let serving = handler.clone();
    server.add_post_start_hook(PostStartHook::new("start-apiextensions-informers", move |context| {
        let serving = serving.clone();
        async move { start_informer(&context, serving) }
    }));
    server.add_post_start_hook(PostStartHook::new("start-apiextensions-controllers", move |context| {
        let handler = handler.clone();
        async move { start_controllers(&context, &handler) }
    }));
    server.add_post_start_hook(PostStartHook::new("crd-informer-synced", |context| async move {
        informer(&context).wait_for_sync().await?;
        Ok(())
    }));
}

fn informer(context: &HookContext) -> SharedInformer<DynamicObject> {
    context
        .informers
        .dynamic(&ApiResource::of::<CustomResourceDefinition>())
}

fn start_informer(context: &HookContext, handler: Arc<CrdHandler>) -> Result<(), HookError> {
    let services = context.informers.informer::<Service>();
    let slices = context.informers.informer::<EndpointSlice>();
    services.start();
    slices.start();
    handler.follow_services(ServiceResolver::new(&services, &slices));
    let informer = informer(context);
    let (added, updated, deleted) = (handler.clone(), handler.clone(), handler);
    informer.add_handler(
        EventHandlerFuncs::new()
            .on_add(move |object, _| tell(&added, object))
            .on_update(move |_, object| tell(&updated, object))
            .on_delete(move |object, _| deleted.remove(&object.key().name)),
    )?;
    informer.start();
    Ok(())
}

fn tell(handler: &CrdHandler, object: &CachedObject<DynamicObject>) {
    match document_of(object) {
        Ok(document) => handler.update(document),
        Err(error) => tracing::error!(name = object.key().name, %error, "a definition cannot be read"),
    }
}

fn start_controllers(context: &HookContext, handler: &Arc<CrdHandler>) -> Result<(), HookError> {
    let definitions = Definitions {
        lister: informer(context).lister(),
        api: DynamicApi::new(
            context.clientset().client().clone(),
            &ApiResource::of::<CustomResourceDefinition>(),
        ),
        clock: context.clock.clone(),
    };
    let naming = naming::NamingConditionController(definitions.clone());
    run(context, "crd_naming_condition_controller", naming)?;
    let approval = api_approval::ApiApprovalController(definitions.clone());
    run(
        context,
        "kubernetes_api_approval_conformant_condition_controller",
        approval,
    )?;
    let establishing = establishing::EstablishingController {
        definitions: definitions.clone(),
        handler: handler.clone(),
    };
    run(context, "crdEstablishing", establishing)?;
    let finalizer = finalizer::CrdFinalizer {
        definitions,
        handler: handler.clone(),
    };
    run(context, "crd_finalizer", finalizer)
}

/// Runs a controller that looks at each definition that changes.
fn run(context: &HookContext, name: &'static str, reconciler: impl Reconciler<ObjectKey>) -> Result<(), HookError> {
    let mut controller = context.controller(name).concurrency(WORKERS);
    controller.watch_keys(&informer(context))?;
    let stop = context.lifecycle.shutdown_initiated.clone();
    context.tasks.spawn(async move {
        if let Err(error) = controller.run(reconciler, stop).await {
            tracing::debug!(controller = name, %error, "the controller has ended");
        }
    });
    Ok(())
}

/// How many definitions a controller works on at once.
const WORKERS: usize = 5;

/// The definitions, to read and to write.
#[derive(Clone)]
struct Definitions {
    lister: Lister<DynamicObject>,
    api: DynamicApi,
    clock: Clock,
}

impl Definitions {
    /// A definition as the informer knows it; `None` once it is gone.
    fn get(&self, key: &ObjectKey) -> Result<Option<Value>, ReconcileError> {
        let object = self.lister.get(key);
        object.as_ref().map(document_of).transpose()
    }

    /// All definitions.
    fn list(&self) -> Result<Vec<Value>, ReconcileError> {
        self.lister.list().iter().map(document_of).collect()
    }

    /// Writes the status; `None` where the definition has changed meanwhile, of which there will be word.
    async fn update_status(&self, document: Value) -> Result<Option<Value>, ReconcileError> {
        let object: DynamicObject = serde_json::from_value(document)?;
        let updated = self
            .api
            .update_subresource(&object, "status", &WriteOptions::default())
            .await;
        match updated {
            Ok(updated) => Ok(Some(serde_json::to_value(updated)?)),
            Err(error) if Error::is_conflict(&error) || error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The time as conditions have it.
    fn now(&self) -> String {
        self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

fn document_of(object: &CachedObject<DynamicObject>) -> Result<Value, ReconcileError> {
    Ok(serde_json::to_value(&*object.decode()?)?)
}

/// What a controller answers that has nothing more to do for now.
const DONE: Result<Action, ReconcileError> = Ok(Action::Done);
