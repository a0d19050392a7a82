//! Looks every three minutes whether the addresses and ports of services are noted as theirs, puts right what is not,
//! and tells people in events.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kubewire_informers::events::{EventRecorder, Occurrence};

use crate::generic::hooks::PostStartHook;
use crate::registry::WriteContext;
use crate::registry::built_in::{Finding, ServiceRepair};
use crate::registry::service_ranges::ServiceRanges;
use crate::registry::stores::Stores;
use crate::storage::Storage;

const PERIOD: Duration = Duration::from_secs(3 * 60);

/// The hook that looks for the first time before the server is ready. `storage` is where addresses and ports are noted.
pub(super) fn hook(stores: Arc<Stores>, storage: Arc<dyn Storage>, ranges: ServiceRanges) -> PostStartHook {
    PostStartHook::new("start-service-ip-repair-controllers", move |context| {
        let (stores, storage, ranges) = (stores.clone(), storage.clone(), ranges.clone());
        async move {
            let store = |group, plural| stores.get(group, plural).cloned();
            let (Some(services), Some(addresses)) = (store("", "services"), store("networking.k8s.io", "ipaddresses"))
            else {
                return Err("services are not stored".into());
            };
            let mut repair = ServiceRepair {
                storage,
                ranges,
                services,
                addresses,
                context: WriteContext {
                    clock: context.clock.clone(),
                    ..WriteContext::default()
                },
                leaked: Default::default(),
            };
            let client = context.clientset().client().clone();
            let recorder = EventRecorder::new(client, "ipallocator-repair-controller", "kube-apiserver");
            look(&mut repair, &recorder).await;
            let stop = context.lifecycle.shutdown_initiated.clone();
            context.tasks.spawn(async move {
                while tokio::time::timeout(PERIOD, stop.cancelled()).await.is_err() {
                    look(&mut repair, &recorder).await;
                }
            });
            Ok(())
        }
    })
}

async fn look(repair: &mut ServiceRepair, recorder: &EventRecorder) {
    match repair.run_once().await {
        Ok(findings) => findings.into_iter().map(occurrence).for_each(|it| recorder.record(it)),
        Err(error) => tracing::warn!(%error, "look after the addresses and ports of services"),
    }
}

fn occurrence(finding: Finding) -> Occurrence {
    let service = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Service".to_owned()),
        namespace: Some(finding.namespace),
        name: Some(finding.name),
        uid: Some(finding.uid),
        ..ObjectReference::default()
    };
    Occurrence::warning(service, finding.action, finding.reason).with_note(finding.note)
}
