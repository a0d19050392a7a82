//! The namespaces that every cluster has; they come back when somebody deletes them.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Clientset, Error, WriteOptions};

use crate::generic::hooks::PostStartHook;

const SYSTEM_NAMESPACES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "default"];

/// How often they are looked after, as in kube-apiserver.
const PERIOD: Duration = Duration::from_secs(60);

pub(super) fn hook() -> PostStartHook {
    PostStartHook::new("start-system-namespaces-controller", |context| async move {
        let (clientset, stop) = (
            context.clientset().clone(),
            context.lifecycle.shutdown_initiated.clone(),
        );
        ensure_all(&clientset).await?;
        context.tasks.spawn(async move {
            while tokio::time::timeout(PERIOD, stop.cancelled()).await.is_err() {
                if let Err(error) = ensure_all(&clientset).await {
                    tracing::warn!(%error, "system namespaces");
                }
            }
        });
        Ok(())
    })
}

async fn ensure_all(clientset: &Clientset) -> Result<(), Error> {
    for name in SYSTEM_NAMESPACES {
        ensure(clientset, name).await?;
    }
    Ok(())
}

/// Creates a namespace where it is missing.
pub(crate) async fn ensure(clientset: &Clientset, name: &str) -> Result<(), Error> {
    let api = clientset.core_v1().namespaces();
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    if api.get(name).await.is_err_and(|error| error.is_not_found()) {
        match api.create(&namespace, &WriteOptions::default()).await {
            Err(error) if !error.is_already_exists() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
