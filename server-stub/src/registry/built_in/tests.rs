//! What strategies do beyond rules: through stores, as requests do.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::registry::service_ranges::ServiceRanges;
use crate::registry::stores::Stores;
use crate::registry::{Store, UpdateOptions, WriteContext};
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;

fn stores() -> Stores {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    Stores::open(&storage, &ServiceRanges::default(), Default::default())
}

async fn create(store: &Store, object: Value) -> Value {
    let created = store.create(&WriteContext::default(), "ns", object).await.unwrap();
    (*created.document()).clone()
}

async fn replace(store: &Store, subresource: Option<&str>, object: Value) -> Result<Value, String> {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let (context, options) = (WriteContext::default(), UpdateOptions::default());
    let mutate = |_: &Value| Ok(object.clone());
    let updated = store.update(&context, "ns", &name, subresource, mutate, options).await;
    updated
        .map(|(object, _)| (*object.document()).clone())
        .map_err(|error| error.message().to_owned())
}

fn pod(image: &str) -> Value {
    json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": image }] } })
}

fn workload(image: &str) -> Value {
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": pod(image)["spec"] });
    json!({
        "metadata": { "name": "w" },
        "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": template },
    })
}

#[tokio::test]
async fn an_update_of_a_pod_may_leave_out_what_the_server_added() {
    let stores = stores();
    let pods = stores.get("", "pods").unwrap();
    create(pods, pod("one")).await;
    let updated = replace(pods, None, pod("two")).await.unwrap();
    assert_eq!(updated["spec"]["priority"], 0);
    assert_eq!(updated["metadata"]["generation"], 2);
    let mut other = pod("two");
    other["spec"]["containers"][0]["command"] = json!(["x"]);
    let refused = replace(pods, None, other).await.unwrap_err();
    assert!(
        refused.contains("pod updates may not change fields other than"),
        "{refused}"
    );
}

#[tokio::test]
async fn daemon_sets_count_the_changes_of_their_template() {
    let stores = stores();
    let sets = stores.get("apps", "daemonsets").unwrap();
    let counted = |set: &Value| set["metadata"]["annotations"]["deprecated.daemonset.template.generation"].clone();
    assert_eq!(counted(&create(sets, workload("one")).await), "1");
    let mut labelled = workload("one");
    labelled["metadata"]["labels"] = json!({ "x": "y" });
    assert_eq!(counted(&replace(sets, None, labelled).await.unwrap()), "1");
    assert_eq!(counted(&replace(sets, None, workload("two")).await.unwrap()), "2");
}

#[tokio::test]
async fn a_deployment_counts_its_annotations_and_keeps_its_labels_from_the_status() {
    let stores = stores();
    let deployments = stores.get("apps", "deployments").unwrap();
    create(deployments, workload("one")).await;
    let mut annotated = workload("one");
    annotated["metadata"]["annotations"] = json!({ "note": "x" });
    assert_eq!(
        replace(deployments, None, annotated.clone()).await.unwrap()["metadata"]["generation"],
        2
    );
    annotated["metadata"]["labels"] = json!({ "x": "y" });
    annotated["status"] = json!({ "replicas": 1 });
    let updated = replace(deployments, Some("status"), annotated).await.unwrap();
    assert_eq!(
        (&updated["metadata"]["labels"], &updated["status"]["replicas"]),
        (&Value::Null, &json!(1))
    );
}

#[tokio::test]
async fn jobs_select_their_own_pods() {
    let stores = stores();
    let jobs = stores.get("batch", "jobs").unwrap();
    let mut template = json!({ "spec": pod("one")["spec"] });
    template["spec"]["restartPolicy"] = json!("Never");
    let made = create(
        jobs,
        json!({ "metadata": { "name": "j" }, "spec": { "template": template } }),
    )
    .await;
    let uid = &made["metadata"]["uid"];
    assert_eq!(
        made["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"],
        *uid
    );
    assert_eq!(made["spec"]["template"]["metadata"]["labels"]["controller-uid"], *uid);
    assert_eq!(made["spec"]["template"]["metadata"]["labels"]["job-name"], "j");
}

#[tokio::test]
async fn warnings_reach_the_client() {
    let stores = stores();
    let context = WriteContext::default();
    let mut odd = workload("one");
    odd["spec"]["template"]["spec"]["nodeSelector"] = json!({ "beta.kubernetes.io/os": "linux" });
    let deployments = stores.get("apps", "deployments").unwrap();
    deployments.create(&context, "ns", odd).await.unwrap();
    assert_eq!(
        context.warnings.headers(),
        [
            "299 - \"spec.template.spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \
             \\\"kubernetes.io/os\\\" instead\""
        ]
    );
}
