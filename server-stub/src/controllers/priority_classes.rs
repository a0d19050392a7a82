//! The priority classes of pods that a cluster cannot do without.

use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Clientset, Error, WriteOptions};

use crate::generic::hooks::PostStartHook;
use crate::registry::validation::policy::SYSTEM_CLASSES;

pub(super) fn hook() -> PostStartHook {
    PostStartHook::new("scheduling/bootstrap-system-priority-classes", |context| async move {
        ensure(context.clientset()).await?;
        Ok(())
    })
}

/// Creates those that are missing.
async fn ensure(clientset: &Clientset) -> Result<(), Error> {
    let api = clientset.scheduling_v1().priority_classes();
    for (name, value, description) in SYSTEM_CLASSES {
        let class = PriorityClass {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            value: Some(value),
            description: Some(description.to_owned()),
            ..PriorityClass::default()
        };
        match api.create(&class, &WriteOptions::default()).await {
            Err(error) if !error.is_already_exists() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
