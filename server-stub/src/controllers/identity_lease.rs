//! Every running server keeps a Lease in `kube-system`, so that others know of it (KEP-1965); the leases of servers
//! that are gone are removed. A server that is stopped takes its own with it.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, MicroTime, ObjectMeta};
use kubewire_client::{Clientset, Error, ListOptions, WriteOptions};
use tokio_util::task::TaskTracker;

use crate::generic::clock::Clock;
use crate::generic::hooks::{PostStartHook, PreShutdownHook};
use crate::generic::server::GenericApiServer;

const NAMESPACE: &str = "kube-system";
/// How long a lease counts after it was last renewed.
const DURATION: Duration = Duration::from_secs(3600);
const RENEW_PERIOD: Duration = Duration::from_secs(10);
const IDENTITY: (&str, &str) = ("apiserver.kubernetes.io/identity", "kube-apiserver");

/// Adds the hooks of the server with this id.
pub(super) fn add_to(server: &mut GenericApiServer, id: String) {
    let renewing = TaskTracker::new();
    server.add_post_start_hook(hook(id, renewing.clone()));
    server.add_post_start_hook(garbage_collector());
    server.add_pre_shutdown_hook(PreShutdownHook::join(
        "stop-kube-apiserver-identity-lease-controller",
        renewing,
    ));
}

/// The hook that creates and renews the lease.
fn hook(id: String, renewing: TaskTracker) -> PostStartHook {
    PostStartHook::new("start-kube-apiserver-identity-lease-controller", move |context| {
        let (id, renewing) = (id.clone(), renewing.clone());
        async move {
            super::system_namespaces::ensure(context.clientset(), NAMESPACE).await?;
            let (clientset, clock) = (context.clientset().clone(), context.clock.clone());
            let stop = context.lifecycle.shutdown_initiated.clone();
            renew(&clientset, &clock, &id).await?;
            renewing.spawn(async move {
                while tokio::time::timeout(RENEW_PERIOD, stop.cancelled()).await.is_err() {
                    if let Err(error) = renew(&clientset, &clock, &id).await {
                        tracing::warn!(%error, lease = id, "renew the identity lease");
                    }
                }
                let leases = clientset.coordination_v1().leases(NAMESPACE);
                if let Err(error) = leases.delete(&id, &DeleteOptions::default()).await {
                    tracing::warn!(%error, lease = id, "remove the identity lease");
                }
            });
            Ok(())
        }
    })
}

/// The hook that removes leases that were not renewed for long.
fn garbage_collector() -> PostStartHook {
    let name = "start-kube-apiserver-identity-lease-garbage-collector";
    PostStartHook::new(name, |context| async move {
        let (clientset, clock) = (context.clientset().clone(), context.clock.clone());
        let stop = context.lifecycle.shutdown_initiated.clone();
        context.tasks.spawn(async move {
            while tokio::time::timeout(DURATION, stop.cancelled()).await.is_err() {
                if let Err(error) = collect(&clientset, &clock).await {
                    tracing::warn!(%error, "remove identity leases that have expired");
                }
            }
        });
        Ok(())
    })
}

async fn renew(clientset: &Clientset, clock: &Clock, id: &str) -> Result<(), Error> {
    let (api, options) = (clientset.coordination_v1().leases(NAMESPACE), WriteOptions::default());
    let mut lease = match api.get(id).await {
        Err(error) if error.is_not_found() => return api.create(&new_lease(clock, id), &options).await.map(drop),
        lease => lease?,
    };
    lease.spec.get_or_insert_default().renew_time = Some(MicroTime(clock.now()));
    match api.update(&lease, &options).await {
        // Somebody changed or removed it just now: the next time will do.
        Err(error) if error.is_conflict() || error.is_not_found() => Ok(()),
        updated => updated.map(drop),
    }
}

fn new_lease(clock: &Clock, id: &str) -> Lease {
    let (key, value) = IDENTITY;
    Lease {
        metadata: ObjectMeta {
            name: Some(id.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            labels: Some([(key.to_owned(), value.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(id.to_owned()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(MicroTime(clock.now())),
            renew_time: Some(MicroTime(clock.now())),
            ..LeaseSpec::default()
        }),
    }
}

async fn collect(clientset: &Clientset, clock: &Clock) -> Result<(), Error> {
    let api = clientset.coordination_v1().leases(NAMESPACE);
    let options = ListOptions::default().with_labels(format!("{}={}", IDENTITY.0, IDENTITY.1));
    for lease in api.list(&options).await?.items {
        let name = lease.metadata.name.clone().unwrap_or_default();
        if is_expired(&lease, clock) {
            match api.delete(&name, &DeleteOptions::default()).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_expired(lease: &Lease, clock: &Clock) -> bool {
    let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
    let renewed = renewed.map(|time| time.0.as_second()).unwrap_or_default();
    let duration = i64::try_from(DURATION.as_secs()).unwrap_or(i64::MAX);
    clock.now().as_second() - renewed > duration
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Options, Server};

    #[tokio::test]
    async fn every_server_has_a_lease_and_old_ones_go() {
        let server = Server::start(Options::default()).await.unwrap();
        let clientset = &server.clientset();
        let api = clientset.coordination_v1().leases(NAMESPACE);
        let leases = api.list(&ListOptions::default()).await.unwrap().items;
        assert_eq!(leases.len(), 1);
        let own = leases[0].metadata.name.clone().unwrap();
        assert!(own.starts_with("apiserver-"), "{own}");

        let mut old = new_lease(&Clock::system(), "apiserver-of-old");
        old.spec.as_mut().unwrap().renew_time = Some(MicroTime("2020-01-01T00:00:00Z".parse().unwrap()));
        api.create(&old, &WriteOptions::default()).await.unwrap();
        collect(clientset, &Clock::system()).await.unwrap();
        let left = api.list(&ListOptions::default()).await.unwrap().items;
        assert_eq!(
            left.iter()
                .filter_map(|lease| lease.metadata.name.as_ref())
                .collect::<Vec<_>>(),
            [&own]
        );

        let classes = clientset.scheduling_v1().priority_classes();
        let class = serde_json::to_value(classes.get("system-node-critical").await.unwrap()).unwrap();
        assert_eq!(class["value"], 2_000_001_000);
        server.shutdown().await.unwrap();
    }
}
