use std::sync::Arc;

use serde_json::{Value, json};

use super::eviction::{Evicted, evict};
use super::{binding, scale};
use crate::registry::stores::Stores;
use crate::registry::{DeleteOptions, Store, UpdateOptions, WriteContext};
use crate::status::ApiError;
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;

struct Pods(Stores);

impl Pods {
    fn new() -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        Self(Stores::open(
            &storage,
            &crate::registry::service_ranges::ServiceRanges::default(),
            Default::default(),
        ))
    }

    fn pods(&self) -> &Store {
        self.0.get("", "pods").unwrap()
    }

    fn budgets(&self) -> &Store {
        self.0.get("policy", "poddisruptionbudgets").unwrap()
    }

    /// A pod with this phase.
    async fn add(&self, name: &str, phase: &str) {
        let pod = json!({
            "metadata": { "name": name, "labels": { "app": "x" } },
            "spec": { "containers": [{ "name": "c", "image": "i" }] },
        });
        self.pods().create(&WriteContext::default(), "ns", pod).await.unwrap();
        let ready = json!([{ "type": "Ready", "status": if phase == "Running" { "True" } else { "False" } }]);
        self.set_status(self.pods(), name, &[("phase", json!(phase)), ("conditions", ready)])
            .await;
    }

    async fn set_status(&self, store: &Store, name: &str, fields: &[(&str, Value)]) {
        let mutate = |object: &Value| {
            let mut object = object.clone();
            for (field, value) in fields {
                object["status"][*field] = value.clone();
            }
            Ok(object)
        };
        let (context, options) = (WriteContext::default(), UpdateOptions::default());
        store
            .update(&context, "ns", name, Some("status"), mutate, options)
            .await
            .unwrap();
    }

    async fn add_budget(&self, allowed: i64) {
        let budget = json!({
            "metadata": { "name": "b" },
            "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "x" } } },
        });
        self.budgets()
            .create(&WriteContext::default(), "ns", budget)
            .await
            .unwrap();
        let status = [
            ("disruptionsAllowed", json!(allowed)),
            ("observedGeneration", json!(1)),
            ("desiredHealthy", json!(1)),
            ("currentHealthy", json!(1)),
            ("expectedPods", json!(1)),
        ];
        self.set_status(self.budgets(), "b", &status).await;
    }

    async fn evict(&self, name: &str) -> Result<Evicted, ApiError> {
        let context = WriteContext::default();
        evict(
            self.pods(),
            self.budgets(),
            &context,
            "ns",
            name,
            DeleteOptions::default(),
        )
        .await
    }
}

#[tokio::test]
async fn budgets_are_spent() {
    let pods = Pods::new();
    pods.add("a", "Running").await;
    pods.add("b", "Running").await;
    pods.add_budget(1).await;
    assert_eq!(pods.evict("a").await.unwrap(), Evicted::Done);
    assert!(pods.pods().get("ns", "a", None).await.is_err());
    let budget = pods.budgets().get("ns", "b", None).await.unwrap().document();
    assert_eq!(budget["status"]["disruptionsAllowed"], 0);
    assert!(budget["status"]["disruptedPods"]["a"].is_string());
    let refused = pods.evict("b").await.unwrap_err();
    assert_eq!((refused.code(), refused.reason()), (429, "TooManyRequests"));
    let cause = &refused.status().details.as_ref().unwrap().causes.as_ref().unwrap()[0];
    assert_eq!(
        cause.message.as_deref(),
        Some("The disruption budget b needs 1 healthy pods and has 1 currently")
    );
}

#[tokio::test]
async fn pods_that_do_not_run_need_no_budget() {
    let pods = Pods::new();
    pods.add("a", "Pending").await;
    pods.add("b", "Succeeded").await;
    pods.add_budget(0).await;
    assert_eq!(pods.evict("a").await.unwrap(), Evicted::Done);
    assert_eq!(pods.evict("b").await.unwrap(), Evicted::Done);
    assert_eq!(pods.evict("nosuch").await.unwrap_err().code(), 404);
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let pods = Pods::new();
    pods.add("a", "Pending").await;
    let context = WriteContext::default();
    let to = |node: &str| json!({ "metadata": { "name": "a" }, "target": { "kind": "Node", "name": node } });
    binding::bind(pods.pods(), &context, "ns", "a", &to("n1"))
        .await
        .unwrap();
    let pod = pods.pods().get("ns", "a", None).await.unwrap().document();
    assert_eq!(pod["spec"]["nodeName"], "n1");
    assert_eq!(pod["status"]["conditions"][1]["type"], "PodScheduled");
    assert_eq!(pod["metadata"]["generation"], 1);
    let again = binding::bind(pods.pods(), &context, "ns", "a", &to("n2"))
        .await
        .unwrap_err();
    assert_eq!(
        again.message(),
        "Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to node \"n1\""
    );
    let nowhere = binding::bind(pods.pods(), &context, "ns", "a", &to(""))
        .await
        .unwrap_err();
    assert_eq!(
        (nowhere.code(), nowhere.message()),
        (500, "target.name: Required value")
    );
}

#[test]
fn scales() {
    let deployment = json!({
        "kind": "Deployment",
        "metadata": { "name": "d", "namespace": "ns", "uid": "u", "resourceVersion": "5", "labels": { "a": "b" } },
        "spec": { "replicas": 3, "selector": {
            "matchLabels": { "tier": "web" }, "matchExpressions": [{ "key": "app", "operator": "In", "values": ["a", "b"] }],
        } },
        "status": { "replicas": 2 },
    });
    let mut read = scale::read(&deployment).unwrap();
    assert_eq!(read["spec"]["replicas"], 3);
    assert_eq!(
        read["status"],
        json!({ "replicas": 2, "selector": "app in (a,b),tier=web" })
    );
    assert_eq!(read["metadata"].get("labels"), None);
    read["spec"]["replicas"] = json!(7);
    assert_eq!(
        scale::write(&deployment, &read, &["spec", "replicas"], false).unwrap()["spec"]["replicas"],
        7
    );
    read["spec"]["replicas"] = json!(-1);
    assert_eq!(
        scale::write(&deployment, &read, &["spec", "replicas"], false)
            .unwrap_err()
            .message(),
        "Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
    // Custom resources have rules of their own.
    let custom = scale::write(&deployment, &read, &["spec", "size"], true).unwrap();
    assert_eq!(custom["spec"]["size"], -1);
}

#[tokio::test]
async fn other_subresources_change_their_part_only() {
    let pods = Pods::new();
    pods.add("a", "Running").await;
    let update = async |subresource: &str, change: &dyn Fn(&mut Value)| {
        let mut object = (*pods.pods().get("ns", "a", None).await.unwrap().document()).clone();
        change(&mut object);
        let (context, options) = (WriteContext::default(), UpdateOptions::default());
        let mutate = |_: &Value| Ok(object.clone());
        let updated = pods
            .pods()
            .update(&context, "ns", "a", Some(subresource), mutate, options)
            .await;
        updated
            .map(|(pod, _)| pod.document())
            .map_err(|error| error.message().to_owned())
    };
    let debugger = json!([{ "name": "debug", "image": "busybox", "terminationMessagePolicy": "File",
        "imagePullPolicy": "Always", "terminationMessagePath": "/x" }]);
    let add_debugger = |pod: &mut Value| {
        pod["spec"]["ephemeralContainers"] = debugger.clone();
        pod["spec"]["nodeName"] = json!("elsewhere");
        pod["metadata"]["labels"] = json!({});
    };
    let pod = update("ephemeralcontainers", &add_debugger).await.unwrap();
    assert_eq!(pod["spec"]["ephemeralContainers"][0]["name"], "debug");
    assert_eq!(
        (&pod["spec"]["nodeName"], &pod["metadata"]["labels"]["app"]),
        (&Value::Null, &json!("x"))
    );
    let removed = update("ephemeralcontainers", &|pod| {
        pod["spec"]["ephemeralContainers"] = json!([])
    })
    .await;
    assert!(
        removed
            .unwrap_err()
            .contains("existing ephemeral containers \"debug\" may not be removed")
    );
    let resized = update("resize", &|pod| {
        pod["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "1" } });
    });
    assert!(
        resized
            .await
            .unwrap_err()
            .contains("Pod QOS Class may not change as a result of resizing")
    );
}
