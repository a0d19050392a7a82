//! A day in the shop, quickly: deployments scale, pods come and go, orders are processed, settings change.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;
use kubewire_client::{Api, Clientset, Object, Patch, PatchOptions, WriteOptions};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::Error;

const NAMESPACE: &str = "shop";
/// How many short-lived objects of a kind exist at once.
const ALIVE: u64 = 6;
const DEPLOYMENTS: [&str; 4] = ["storefront", "catalog", "cart", "payments"];

/// Makes one change after the other until it is told to stop; returns how many there were.
pub(crate) async fn run(clientset: Clientset, every: Duration, stop: CancellationToken) -> Result<u64, Error> {
    let shop = Shop { clientset };
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut step = 0;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match shop.change(step).await {
            Ok(()) => step += 1,
            // Somebody else may work on the same cluster.
            Err(Error::Request(error)) if is_race(&error) => step += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(step)
}

fn is_race(error: &kubewire_client::Error) -> bool {
    error.is_conflict() || error.is_not_found() || error.is_already_exists()
}

struct Shop {
    clientset: Clientset,
}

impl Shop {
    /// One of the things that happen in a shop, by turns.
    async fn change(&self, step: u64) -> Result<(), Error> {
        let round = step / 8;
        match step % 8 {
            0 => self.scale(round).await,
            1 => self.replace_pod(round).await,
            2 => self.report_pod(round).await,
            3 => self.change_prices(round).await,
            4 => self.process_order(round).await,
            5 => self.renew_lease(round).await,
            6 => self.rotate_secret(round).await,
            _ => self.tell_event(round).await,
        }
    }

    /// Traffic rises and falls: a deployment gets another size, its autoscaler says so.
    async fn scale(&self, round: u64) -> Result<(), Error> {
        let name = DEPLOYMENTS[(round % 4) as usize];
        let replicas = 2 + round % 5;
        let deployments = self.clientset.apps_v1().deployments(NAMESPACE);
        merge(&deployments, name, json!({ "spec": { "replicas": replicas } })).await?;
        let status = json!({ "status": { "replicas": replicas, "readyReplicas": replicas } });
        deployments
            .patch_status(name, &Patch::Merge(status), &PatchOptions::default())
            .await?;
        let autoscalers = self.clientset.autoscaling_v2().horizontal_pod_autoscalers(NAMESPACE);
        let status = json!({ "status": { "currentReplicas": replicas, "desiredReplicas": replicas } });
        autoscalers
            .patch_status("storefront", &Patch::Merge(status), &PatchOptions::default())
            .await?;
        Ok(())
    }

    /// A new pod starts, the oldest one goes.
    async fn replace_pod(&self, round: u64) -> Result<(), Error> {
        let pods = self.clientset.core_v1().pods(NAMESPACE);
        let pod = json!({
            "metadata": { "name": format!("cart-{round}"), "labels": { "app": "cart", "round": round.to_string() } },
            "spec": { "containers": [{ "name": "cart", "image": format!("registry.example/cart:1.{}", round / 10) }] },
        });
        create::<Pod>(&pods, pod).await?;
        if let Some(oldest) = round.checked_sub(ALIVE) {
            remove(&pods, &format!("cart-{oldest}")).await?;
        }
        Ok(())
    }

    /// The newest pod is running.
    async fn report_pod(&self, round: u64) -> Result<(), Error> {
        let status = json!({ "status": {
            "phase": "Running",
            "podIP": format!("10.1.{}.{}", round / 250 % 250, round % 250 + 1),
            "conditions": [{ "type": "Ready", "status": "True" }],
        } });
        let pods = self.clientset.core_v1().pods(NAMESPACE);
        pods.patch_status(
            &format!("cart-{round}"),
            &Patch::Merge(status),
            &PatchOptions::default(),
        )
        .await?;
        Ok(())
    }

    /// Somebody edits the catalog: read, change, write back.
    async fn change_prices(&self, round: u64) -> Result<(), Error> {
        let config_maps: Api<ConfigMap> = self.clientset.core_v1().config_maps(NAMESPACE);
        let mut prices = config_maps.get("catalog-search").await?;
        let data = prices.data.get_or_insert_default();
        data.insert("price-list".to_owned(), format!("edition {round}"));
        config_maps.update(&prices, &WriteOptions::default()).await?;
        Ok(())
    }

    /// An order becomes a job; old ones are cleaned up.
    async fn process_order(&self, round: u64) -> Result<(), Error> {
        let jobs = self.clientset.batch_v1().jobs(NAMESPACE);
        let job = json!({
            "metadata": { "name": format!("order-{round}"), "labels": { "app": "orders" } },
            "spec": { "template": { "spec": {
                "restartPolicy": "Never",
                "containers": [{ "name": "order", "image": "registry.example/orders:2.1" }],
            } } },
        });
        create::<Job>(&jobs, job).await?;
        if let Some(oldest) = round.checked_sub(ALIVE) {
            remove(&jobs, &format!("order-{oldest}")).await?;
        }
        Ok(())
    }

    /// The leader of the cart service says that it is alive.
    async fn renew_lease(&self, round: u64) -> Result<(), Error> {
        let leases: Api<Lease> = self.clientset.coordination_v1().leases(NAMESPACE);
        let holder = json!({ "spec": { "holderIdentity": "cart-0", "leaseTransitions": round / 20 } });
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let mut renewal = holder;
        renewal["spec"]["renewTime"] = now.into();
        merge(&leases, "cart-leader", renewal).await
    }

    /// The payment provider's key is rotated now and then.
    async fn rotate_secret(&self, round: u64) -> Result<(), Error> {
        let secrets = self.clientset.core_v1().secrets(NAMESPACE);
        merge(
            &secrets,
            "payment-provider",
            json!({ "stringData": { "key": format!("rotation-{round}") } }),
        )
        .await
    }

    /// Events are told, and forgotten.
    async fn tell_event(&self, round: u64) -> Result<(), Error> {
        let events = self.clientset.core_v1().events(NAMESPACE);
        let event = json!({
            "metadata": { "name": format!("order-{round}.done") },
            "involvedObject": { "apiVersion": "batch/v1", "kind": "Job", "namespace": NAMESPACE, "name": format!("order-{round}") },
            "reason": "Completed", "message": "Order was packed and sent", "type": "Normal", "count": 1,
        });
        create::<Event>(&events, event).await?;
        if let Some(oldest) = round.checked_sub(ALIVE) {
            remove(&events, &format!("order-{oldest}.done")).await?;
        }
        Ok(())
    }
}

async fn create<K: Object>(api: &Api<K>, object: Value) -> Result<(), Error> {
    let object: K = serde_json::from_value(object).map_err(Error::Template)?;
    api.create(&object, &WriteOptions::default()).await?;
    Ok(())
}

async fn merge<K: Object>(api: &Api<K>, name: &str, patch: Value) -> Result<(), Error> {
    api.patch(name, &Patch::Merge(patch), &PatchOptions::default()).await?;
    Ok(())
}

async fn remove<K: Object>(api: &Api<K>, name: &str) -> Result<(), Error> {
    api.delete(name, &DeleteOptions::default()).await?;
    Ok(())
}
