//! The ServiceCIDR `kubernetes`: the addresses of services that the flags name, for everybody to see (KEP-1880).

use std::time::Duration;

use k8s_openapi::api::networking::v1::{ServiceCIDR, ServiceCIDRSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Clientset, Error, Patch, PatchOptions, WriteOptions};
use serde_json::json;

use crate::generic::clock::Clock;
use crate::generic::hooks::PostStartHook;
use crate::registry::service_ranges::IpNetwork;
use crate::registry::store::seconds;

const NAME: &str = "kubernetes";
const READY: &str = "Ready";

/// How often the object is looked after.
const PERIOD: Duration = Duration::from_secs(60);

pub(super) fn hook(networks: Vec<IpNetwork>) -> PostStartHook {
    let networks: Vec<String> = networks.iter().map(IpNetwork::to_string).collect();
    PostStartHook::new("start-kubernetes-service-cidr-controller", move |context| {
        let networks = networks.clone();
        async move {
            let (clientset, clock) = (context.clientset().clone(), context.clock.clone());
            let stop = context.lifecycle.shutdown_initiated.clone();
            ensure(&clientset, &clock, &networks).await?;
            context.tasks.spawn(async move {
                while tokio::time::timeout(PERIOD, stop.cancelled()).await.is_err() {
                    if let Err(error) = ensure(&clientset, &clock, &networks).await {
                        tracing::warn!(%error, "the ServiceCIDR {NAME}");
                    }
                }
            });
            Ok(())
        }
    })
}

/// Creates the object where it is missing, and says that it is ready where nothing is said.
async fn ensure(clientset: &Clientset, clock: &Clock, networks: &[String]) -> Result<(), Error> {
    let api = clientset.networking_v1().service_cidrs();
    let object = match api.get(NAME).await {
        Err(error) if error.is_not_found() => {
            let object = ServiceCIDR {
                metadata: ObjectMeta {
                    name: Some(NAME.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(ServiceCIDRSpec {
                    cidrs: Some(networks.to_owned()),
                }),
                status: None,
            };
            match api.create(&object, &WriteOptions::default()).await {
                // Another server was faster, and goes on.
                Err(error) if error.is_already_exists() => return Ok(()),
                created => created?,
            }
        }
        object => object?,
    };
    let there = object.spec.as_ref().and_then(|spec| spec.cidrs.as_deref());
    if there != Some(networks) {
        tracing::warn!(
            ?there,
            ?networks,
            "the ServiceCIDR {NAME} is not what --service-cluster-ip-range says"
        );
        return Ok(());
    }
    let conditions = object.status.unwrap_or_default().conditions.unwrap_or_default();
    if conditions.iter().any(|condition| condition.type_ == READY) {
        return Ok(());
    }
    let ready = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": { "name": NAME },
        "status": { "conditions": [{
            "type": READY,
            "status": "True",
            "lastTransitionTime": seconds(clock.now()),
            "message": "Kubernetes default Service CIDR is ready",
        }] },
    });
    let options = PatchOptions::apply("kubernetes-service-cidr-controller").with_force();
    match api.patch_status(NAME, &Patch::Apply(ready), &options).await {
        Err(error) if !error.is_conflict() && !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Options, Server};

    #[tokio::test]
    async fn the_range_of_the_flags_is_there_and_ready() {
        let server = Server::start(Options::default()).await.unwrap();
        let api = server.clientset().networking_v1().service_cidrs();
        let object = api.get(NAME).await.unwrap();
        assert_eq!(object.spec.unwrap().cidrs.unwrap(), ["10.0.0.0/24"]);
        let conditions = object.status.unwrap().conditions.unwrap();
        assert_eq!((&*conditions[0].type_, &*conditions[0].status), (READY, "True"));
        server.shutdown().await.unwrap();
    }
}
