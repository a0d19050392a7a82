//! `OwnerReferencesPermissionEnforcement`: who may say whose an object is, and what keeps its owner from going.

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::{ALICE, Answer, Caller};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn owned(name: &str, api_version: &str, kind: &str, blocks: bool) -> Value {
    let owner =
        json!({ "apiVersion": api_version, "kind": kind, "name": "x", "uid": kind, "blockOwnerDeletion": blocks });
    json!({ "metadata": { "name": name, "ownerReferences": [owner] } })
}

/// Alice may write configmaps, delete `mine`, and change the finalizers of secrets, and the server knows it.
async fn start() -> Caller {
    let caller = Caller::start_with_plugin("OwnerReferencesPermissionEnforcement").await;
    let rules = json!([
        { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch", "list"] },
        { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["delete"], "resourceNames": ["mine"] },
        { "apiGroups": [""], "resources": ["secrets/finalizers"], "verbs": ["update"] },
    ]);
    let role = json!({ "metadata": { "name": "w" }, "rules": rules });
    caller.create(&format!("{RBAC}/roles"), &role).await;
    let binding = json!({
        "metadata": { "name": "w" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "w" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice" }],
    });
    caller.create(&format!("{RBAC}/rolebindings"), &binding).await;
    for name in ["mine", "other"] {
        caller.create(MAPS, &json!({ "metadata": { "name": name } })).await;
    }
    while caller.get(ALICE, MAPS).await.code != 200 {
        tokio::task::yield_now().await;
    }
    caller
}

#[tokio::test]
async fn owners_are_for_those_who_may_delete_and_blocking_ones_for_those_who_may_finalize() {
    let caller = start().await;
    let change = async |name: &str, api_version: &str, kind: &str, blocks: bool| -> Answer {
        let body = owned(name, api_version, kind, blocks);
        caller
            .send(ALICE, Method::PATCH, &format!("{MAPS}/{name}"), &body)
            .await
    };
    let forbidden = |answer: Answer, message: &str| {
        assert_eq!(answer.code, 403, "{}", answer.body);
        assert_eq!(answer.message(), message);
    };
    let cannot_delete = "cannot set an ownerRef on a resource you can't delete: , <nil>";
    let message = format!("configmaps \"other\" is forbidden: {cannot_delete}");
    forbidden(change("other", "v1", "Pod", false).await, &message);
    assert_eq!(change("mine", "v1", "Pod", false).await.code, 200);
    let message = "configmaps \"mine\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a \
                   resource you can't set finalizers on: , <nil>";
    forbidden(change("mine", "v1", "Pod", true).await, message);
    forbidden(change("mine", "v1", "Node", true).await, message);
    assert_eq!(change("mine", "v1", "Secret", true).await.code, 200);
    let message = "configmaps \"mine\" is forbidden: cannot set blockOwnerDeletion in this case because cannot find \
                   RESTMapping for APIVersion no.such/v1 Kind Nope: no matches for kind \"Nope\" in version \
                   \"no.such/v1\"";
    forbidden(change("mine", "no.such/v1", "Nope", true).await, message);

    assert_eq!(
        caller.post(ALICE, MAPS, &owned("new", "v1", "Pod", false)).await.code,
        201
    );
    let refused = caller.post(ALICE, MAPS, &owned("blocking", "v1", "Pod", true)).await;
    assert!(
        refused
            .message()
            .starts_with("configmaps \"blocking\" is forbidden: cannot set blockOwnerDeletion if")
    );
    caller.stop().await;
}
