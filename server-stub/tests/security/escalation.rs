//! Nobody grants more than he may do himself.

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::{ADMIN, ALICE, Caller};

const GROUP: &str = "rbac.authorization.k8s.io";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";

fn rule(verbs: &[&str], group: &str, resources: &[&str]) -> Value {
    json!({ "verbs": verbs, "apiGroups": [group], "resources": resources })
}

fn role(name: &str, rules: &[Value]) -> Value {
    json!({ "metadata": { "name": name }, "rules": rules })
}

fn binding(name: &str, kind: &str, role: &str, user: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": GROUP, "kind": kind, "name": role },
        "subjects": [{ "apiGroup": GROUP, "kind": "User", "name": user }],
    })
}

/// Alice may write roles and bindings and read pods, and the server knows it.
async fn start() -> Caller {
    let caller = Caller::start().await;
    let writes = rule(
        &["create", "update", "patch", "list"],
        GROUP,
        &["roles", "rolebindings"],
    );
    let reads = rule(&["get"], "", &["pods"]);
    caller.create(ROLES, &role("writer", &[writes, reads])).await;
    caller
        .create(BINDINGS, &binding("writer", "Role", "writer", "alice"))
        .await;
    while caller.get(ALICE, ROLES).await.code != 200 {
        tokio::task::yield_now().await;
    }
    caller
}

#[tokio::test]
async fn a_role_gives_no_more_than_its_writer_has() {
    let caller = start().await;
    caller
        .post(ALICE, ROLES, &role("own", &[rule(&["get"], "", &["pods"])]))
        .await;
    let more = role(
        "more",
        &[
            rule(&["get", "delete"], "", &["pods"]),
            rule(&["get", "list"], "", &["secrets"]),
        ],
    );
    let refused = caller.post(ALICE, ROLES, &more).await;
    assert_eq!(refused.code, 403);
    let expected = "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"alice\" (groups=[\"developers\" \
                    \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n\
                    {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}\n\
                    {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}";
    assert_eq!(refused.message(), expected);
    assert_eq!(caller.post(ADMIN, ROLES, &more).await.code, 201);

    let path = format!("{ROLES}/own");
    let label = json!({ "metadata": { "labels": { "a": "b" } } });
    assert_eq!(caller.send(ALICE, Method::PATCH, &path, &label).await.code, 200);
    let nodes = json!({ "rules": [rule(&["get"], "", &["nodes"])] });
    assert_eq!(caller.send(ALICE, Method::PATCH, &path, &nodes).await.code, 403);
    caller.stop().await;
}

#[tokio::test]
async fn a_binding_gives_no_more_than_its_writer_has() {
    let caller = start().await;
    let refused = caller
        .post(ALICE, BINDINGS, &binding("b", "ClusterRole", "cluster-admin", "alice"))
        .await;
    assert_eq!(refused.code, 403);
    assert!(
        refused.message().ends_with("{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"),
        "{}",
        refused.message()
    );
    let missing = caller
        .post(ALICE, BINDINGS, &binding("b", "Role", "nosuch", "bob"))
        .await;
    let message = "rolebindings.rbac.authorization.k8s.io \"nosuch\" not found";
    assert_eq!((missing.code, missing.message()), (404, message));
    assert_eq!(
        caller
            .post(ALICE, BINDINGS, &binding("b", "Role", "writer", "bob"))
            .await
            .code,
        201
    );
    caller.stop().await;
}

#[tokio::test]
async fn the_verbs_escalate_and_bind_lift_the_limit() {
    let caller = start().await;
    let free = rule(&["escalate", "bind"], GROUP, &["roles", "clusterroles"]);
    caller.create(ROLES, &role("free", &[free])).await;
    caller.create(BINDINGS, &binding("free", "Role", "free", "alice")).await;
    let all = role("all", &[rule(&["*"], "*", &["*"])]);
    while caller.post(ALICE, &format!("{ROLES}?dryRun=All"), &all).await.code != 201 {
        tokio::task::yield_now().await;
    }
    let admin = binding("admins", "ClusterRole", "cluster-admin", "alice");
    assert_eq!(caller.post(ALICE, BINDINGS, &admin).await.code, 201);
    caller.stop().await;
}
