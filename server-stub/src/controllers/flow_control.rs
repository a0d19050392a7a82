//! The objects of priority and fairness: the default ones are made, and flow schemas are told whether their priority
//! level exists. Requests are not scheduled by them.

use async_trait::async_trait;
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use kubewire_client::{Api, Error, Object, ObjectKey, Patch, PatchOptions, WriteOptions};
use kubewire_informers::Lister;
use kubewire_informers::controller::{Action, ReconcileError, Reconciler};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::generic::clock::Clock;
use crate::generic::hooks::{HookError, PostStartHook};
use crate::registry::store::seconds;
use crate::registry::validation::flow_control::default_specs;
use crate::registry::validation::values::{items, text};

const AUTO_UPDATE: &str = "apf.kubernetes.io/autoupdate-spec";
const API_VERSION: &str = "flowcontrol.apiserver.k8s.io/v1";

/// The hook that makes the default objects.
pub(super) fn producer() -> PostStartHook {
    PostStartHook::new("priority-and-fairness-config-producer", |context| async move {
        let api = context.clientset().flowcontrol_v1();
        let mut writes = JoinSet::new();
        for (name, spec) in default_specs("prioritylevelconfigurations") {
            writes.spawn(ensure::<PriorityLevelConfiguration>(
                api.priority_level_configurations(),
                object("PriorityLevelConfiguration", name, spec),
            ));
        }
        for (name, spec) in default_specs("flowschemas") {
            writes.spawn(ensure::<FlowSchema>(
                api.flow_schemas(),
                object("FlowSchema", name, spec),
            ));
        }
        writes.join_all().await.into_iter().collect()
    })
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let metadata = json!({ "name": name, "annotations": { AUTO_UPDATE: "true" } });
    json!({ "apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec })
}

/// Makes an object, or gives it its default spec again, unless an annotation says that an administrator keeps it.
async fn ensure<K: Object>(api: Api<K>, wanted: Value) -> Result<(), HookError> {
    let wanted: K = serde_json::from_value(wanted)?;
    let options = WriteOptions::default().with_field_manager("api-priority-and-fairness-config-producer-v1");
    match api.create(&wanted, &options).await {
        Err(error) if error.is_already_exists() => {}
        result => return Ok(result.map(drop)?),
    }
    let current = api.get(wanted.metadata().name.as_deref().unwrap_or_default()).await?;
    let annotations = current.metadata().annotations.as_ref();
    if annotations
        .and_then(|all| all.get(AUTO_UPDATE))
        .is_none_or(|value| value != "true")
    {
        return Ok(());
    }
    let (mut restored, document) = (serde_json::to_value(&current)?, serde_json::to_value(&wanted)?);
    if restored["spec"] != document["spec"] {
        restored["spec"] = document["spec"].clone();
        api.update(&serde_json::from_value(restored)?, &options).await?;
    }
    Ok(())
}

/// The hook that tells flow schemas whether their priority level exists.
pub(crate) fn consumer() -> PostStartHook {
    PostStartHook::new("priority-and-fairness-config-consumer", |context| async move {
        let schemas = context.informers.informer::<FlowSchema>();
        let levels = context.informers.informer::<PriorityLevelConfiguration>();
        let mut controller = context.controller("priority_and_fairness_config_queue");
        controller.watch(&schemas, |schema| vec![schema.key().clone()])?;
        let all = schemas.lister();
        controller.watch(&levels, move |_| {
            all.list().iter().map(|schema| schema.key().clone()).collect::<Vec<_>>()
        })?;
        let consumer = Consumer {
            schemas: schemas.lister(),
            levels: levels.lister(),
            api: context.clientset().flowcontrol_v1().flow_schemas(),
            clock: context.clock.clone(),
        };
        let stop = context.lifecycle.shutdown_initiated.clone();
        context.tasks.spawn(async move {
            // The informers end with the server.
            let _ = controller.run(consumer, stop).await;
        });
        schemas.start();
        levels.start();
        Ok(())
    })
}

struct Consumer {
    schemas: Lister<FlowSchema>,
    levels: Lister<PriorityLevelConfiguration>,
    api: Api<FlowSchema>,
    clock: Clock,
}

#[async_trait]
impl Reconciler<ObjectKey> for Consumer {
    /// Sets the condition `Dangling`.
    async fn reconcile(&self, key: &ObjectKey) -> Result<Action, ReconcileError> {
        let Some(schema) = self.schemas.get(key) else {
            return Ok(Action::Done);
        };
        let schema = serde_json::to_value(&*schema.decode()?)?;
        let level = text(&schema, "/spec/priorityLevelConfiguration/name");
        let found = self.levels.get(&ObjectKey::new("", level)).is_some();
        let (status, reason, ending) = match found {
            true => ("False", "Found", "and it exists"),
            false => ("True", "NotFound", "but there is no such object"),
        };
        let message =
            format!("This FlowSchema references the PriorityLevelConfiguration object named {level:?} {ending}");
        let mut conditions = items(&schema, "/status/conditions").iter();
        let known = conditions.find(|condition| text(condition, "/type") == "Dangling");
        let known = known.filter(|known| text(known, "/status") == status);
        if known.is_some_and(|known| text(known, "/message") == message) {
            return Ok(Action::Done);
        }
        let time = known.map(|known| text(known, "/lastTransitionTime").to_owned());
        let time = time.unwrap_or_else(|| seconds(self.clock.now()));
        let condition = json!({
            "type": "Dangling",
            "status": status,
            "lastTransitionTime": time,
            "reason": reason,
            "message": message,
        });
        let patch = Patch::Apply(json!({
            "apiVersion": API_VERSION,
            "kind": "FlowSchema",
            "metadata": { "name": key.name, "uid": text(&schema, "/metadata/uid") },
            "status": { "conditions": [condition] },
        }));
        let options = PatchOptions::apply("api-priority-and-fairness-config-consumer-v1").with_force();
        match self.api.patch_status(&key.name, &patch, &options).await {
            Err(error) if !is_gone(&error) => Err(error.into()),
            _ => Ok(Action::Done),
        }
    }
}

/// Whether the schema went away, or another came in its place.
fn is_gone(error: &Error) -> bool {
    error.is_not_found() || error.is_conflict()
}
