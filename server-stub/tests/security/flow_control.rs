//! The objects of priority and fairness.

use serde_json::json;

use crate::caller::{ADMIN, Caller};

const SCHEMAS: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";
const LEVELS: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations";

#[tokio::test]
async fn default_objects_are_there_and_schemas_know_whether_their_level_exists() {
    let caller = Caller::start().await;
    let count = async |path: &str| caller.get(ADMIN, path).await.body["items"].as_array().unwrap().len();
    assert_eq!((count(SCHEMAS).await, count(LEVELS).await), (11, 8));

    let spec = json!({ "priorityLevelConfiguration": { "name": "mine" }, "matchingPrecedence": 50 });
    caller
        .create(SCHEMAS, &json!({ "metadata": { "name": "mine" }, "spec": spec }))
        .await;
    let dangling = async |wanted: &str| loop {
        let schema = caller.get(ADMIN, &format!("{SCHEMAS}/mine")).await.body;
        let condition = &schema["status"]["conditions"][0];
        if condition["status"] == wanted {
            break condition["reason"].clone();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(dangling("True").await, "NotFound");
    let spec = json!({ "type": "Limited", "limited": { "limitResponse": { "type": "Reject" } } });
    caller
        .create(LEVELS, &json!({ "metadata": { "name": "mine" }, "spec": spec }))
        .await;
    assert_eq!(dangling("False").await, "Found");
    caller.stop().await;
}
