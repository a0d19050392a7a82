//! Acting as somebody else: in the old way, or only for some requests (KEP 5284).

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::{ADMIN, ALICE, Answer, Caller};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// Lets alice do something everywhere, and waits until the server knows.
async fn allow(caller: &Caller, name: &str, rules: Value) {
    let rules = match rules {
        Value::Array(rules) => rules,
        rule => vec![rule],
    };
    // What shows that the role counts.
    let probe = json!({ "verbs": ["get"], "nonResourceURLs": [format!("/allowed/{name}")] });
    let rules: Vec<Value> = rules.into_iter().chain([probe]).collect();
    let metadata = json!({ "name": name });
    let role = json!({ "metadata": metadata, "rules": rules });
    caller.create(&format!("{RBAC}/clusterroles"), &role).await;
    let reference = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name });
    let binding = json!({
        "metadata": metadata, "roleRef": reference,
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice" }],
    });
    caller.create(&format!("{RBAC}/clusterrolebindings"), &binding).await;
    let path = format!("/allowed/{name}");
    while caller.get(ALICE, &path).await.code == 403 {
        tokio::task::yield_now().await;
    }
}

/// Asks who alice is while she acts as somebody.
async fn who(caller: &Caller, headers: &[(&str, &str)]) -> Answer {
    caller
        .send_with(ALICE, Method::POST, REVIEWS, &json!({}), headers)
        .await
}

#[tokio::test]
async fn only_named_requests_can_be_sent_as_another() {
    let caller = Caller::start().await;
    let bob = [("Impersonate-User", "bob")];
    let refused = who(&caller, &bob).await;
    assert_eq!(
        (refused.code, refused.message()),
        (
            403,
            "selfsubjectreviews.authentication.k8s.io is forbidden: User \"alice\" cannot impersonate-on:user-info:create \
             resource \"selfsubjectreviews\" in API group \"authentication.k8s.io\" at the cluster scope"
        )
    );
    let group = "authentication.k8s.io";
    let on = json!({
        "verbs": ["impersonate-on:user-info:create"], "apiGroups": [group], "resources": ["selfsubjectreviews"],
    });
    allow(&caller, "on", on).await;
    assert_eq!(
        who(&caller, &bob).await.message(),
        "users.authentication.k8s.io \"bob\" is forbidden: User \"alice\" cannot impersonate:user-info resource \
         \"users\" in API group \"authentication.k8s.io\" at the cluster scope"
    );
    let as_whom = json!({
        "verbs": ["impersonate:user-info"], "apiGroups": [group], "resources": ["users", "groups"],
    });
    allow(&caller, "whom", as_whom).await;
    let answer = who(&caller, &bob).await;
    assert_eq!(answer.body["status"]["userInfo"]["username"], "bob", "{}", answer.body);
    // The rest stays forbidden, and so does the group of those who may do everything.
    let other = caller
        .send_with(ALICE, Method::GET, "/api/v1/nodes", &Value::Null, &bob)
        .await;
    assert_eq!(
        other.message(),
        "nodes is forbidden: User \"alice\" cannot impersonate-on:user-info:list resource \"nodes\" in API group \"\" at \
         the cluster scope"
    );
    let masters = who(
        &caller,
        &[("Impersonate-User", "bob"), ("Impersonate-Group", "system:masters")],
    )
    .await;
    assert!(
        masters
            .message()
            .ends_with("at the cluster scope: impersonating the system:masters group is not allowed"),
        "{}",
        masters.message()
    );
    caller.stop().await;
}

#[tokio::test]
async fn who_went_the_old_way_is_told_what_it_takes_there() {
    let caller = Caller::start().await;
    let rule = json!({ "verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"] });
    allow(&caller, "old", rule).await;
    let answer = who(&caller, &[("Impersonate-User", "bob")]).await;
    assert_eq!(answer.body["status"]["userInfo"]["username"], "bob", "{}", answer.body);
    let refused = who(&caller, &[("Impersonate-User", "bob"), ("Impersonate-Group", "g")]).await;
    assert_eq!(
        refused.message(),
        "groups \"g\" is forbidden: User \"alice\" cannot impersonate resource \"groups\" in API group \"\" at the \
         cluster scope"
    );
    let admin = caller
        .send_with(
            ADMIN,
            Method::POST,
            REVIEWS,
            &json!({}),
            &[("Impersonate-User", "system:node:n1")],
        )
        .await;
    assert_eq!(
        admin.body["status"]["userInfo"]["groups"],
        json!(["system:nodes", "system:authenticated"])
    );
    caller.stop().await;
}
