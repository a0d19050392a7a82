//! The service `kubernetes` in `default`: how programs inside a cluster find the servers.

mod endpoints;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kubewire_client::{Clientset, Error, WriteOptions};
use tokio_util::task::TaskTracker;

use self::endpoints::{INTERVAL, LeaseEndpointReconciler};
use crate::generic::hooks::{HookContext, PostStartHook, PreShutdownHook};
use crate::generic::server::GenericApiServer;
use crate::storage::Storage;

const NAMESPACE: &str = "default";
const NAME: &str = "kubernetes";
/// How often the service is tried to be made.
const ATTEMPTS: u32 = 50;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the server itself can be reached.
#[derive(Clone)]
pub struct KubernetesService {
    /// The service's address.
    pub cluster_ip: IpAddr,
    /// The server's address.
    pub address: SocketAddr,
    /// Where servers leave word that they run.
    pub storage: Arc<dyn Storage>,
}

/// Adds the hooks that bring the server into the endpoints of the service and take it out again.
pub(super) fn add_to(server: &mut GenericApiServer, service: KubernetesService) {
    let reconciling = TaskTracker::new();
    server.add_post_start_hook(hook(service, reconciling.clone()));
    server.add_pre_shutdown_hook(PreShutdownHook::join(
        "stop-kubernetes-service-controllers",
        reconciling,
    ));
}

fn hook(service: KubernetesService, reconciling: TaskTracker) -> PostStartHook {
    PostStartHook::new("bootstrap-controller", move |context| {
        let (service, reconciling) = (service.clone(), reconciling.clone());
        async move {
            // The namespace `default` may not be there yet: another hook makes it at this moment.
            super::system_namespaces::ensure(context.clientset(), "default").await?;
            create(context.clientset(), &service).await?;
            let reconciler = is_reachable(&service.address.ip()).then(|| LeaseEndpointReconciler {
                storage: service.storage.clone(),
                address: service.address,
            });
            if let Some(reconciler) = &reconciler {
                reconciler.reconcile(context.clientset()).await?;
            }
            reconciling.spawn(keep_up(service, reconciler, context));
            Ok(())
        }
    })
}

/// The service comes back when somebody deletes it, and its endpoints follow the servers.
async fn keep_up(service: KubernetesService, reconciler: Option<LeaseEndpointReconciler>, context: HookContext) {
    let stop = context.lifecycle.shutdown_initiated.clone();
    while tokio::time::timeout(INTERVAL, stop.cancelled()).await.is_err() {
        if let Err(error) = create(context.clientset(), &service).await {
            tracing::warn!(%error, "look after the service {NAMESPACE}/{NAME}");
        }
        let Some(reconciler) = &reconciler else { continue };
        if let Err(error) = reconciler.reconcile(context.clientset()).await {
            tracing::warn!(%error, "reconcile the endpoints of the service {NAMESPACE}/{NAME}");
        }
    }
    let Some(reconciler) = reconciler else { return };
    if let Err(error) = reconciler.stop(context.clientset()).await {
        tracing::warn!(%error, "leave the endpoints of the service {NAMESPACE}/{NAME}");
    }
}

/// Whether endpoints may have the address: a server that listens on a loopback address only has none for others.
fn is_reachable(address: &IpAddr) -> bool {
    !address.is_loopback() && !address.is_unspecified()
}

/// Makes the service, which may be there from an earlier server or come from another one at this moment.
async fn create(clientset: &Clientset, service: &KubernetesService) -> Result<(), Error> {
    let services = clientset.core_v1().services(NAMESPACE);
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        match services.get(NAME).await {
            Err(error) if error.is_not_found() => {}
            there => return there.map(drop),
        }
        match services.create(&service.service(), &WriteOptions::default()).await {
            // Another server has taken the address for the service and is about to create it.
            Err(error) if attempts > 0 && (error.is_invalid() || error.is_already_exists()) => {}
            created => return created.map(drop),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl KubernetesService {
    fn service(&self) -> Service {
        Service {
            metadata: metadata(&[("component", "apiserver"), ("provider", "kubernetes")]),
            spec: Some(ServiceSpec {
                cluster_ip: Some(self.cluster_ip.to_string()),
                ip_family_policy: Some("SingleStack".to_owned()),
                ports: Some(vec![ServicePort {
                    name: Some("https".to_owned()),
                    port: 443,
                    protocol: Some("TCP".to_owned()),
                    target_port: Some(IntOrString::Int(self.address.port().into())),
                    ..ServicePort::default()
                }]),
                session_affinity: Some("None".to_owned()),
                type_: Some("ClusterIP".to_owned()),
                ..ServiceSpec::default()
            }),
            status: None,
        }
    }
}

fn metadata(labels: &[(&str, &str)]) -> ObjectMeta {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    ObjectMeta {
        name: Some(NAME.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        labels: Some(labels.iter().map(owned).collect()),
        ..ObjectMeta::default()
    }
}
