//! Tokens of service accounts.

use serde_json::{Value, json};

use crate::caller::{ADMIN, Caller};

const NAMESPACE: &str = "/api/v1/namespaces/default";
const ISSUER: &str = "https://kubernetes.default.svc";

async fn account(caller: &Caller, name: &str) -> Value {
    let object = json!({ "metadata": { "name": name } });
    caller.create(&format!("{NAMESPACE}/serviceaccounts"), &object).await
}

/// Asks for a token of `robot`; the answer is the whole `TokenRequest`.
async fn token_request(caller: &Caller, spec: Value) -> Value {
    let path = format!("{NAMESPACE}/serviceaccounts/robot/token");
    caller.create(&path, &json!({ "spec": spec })).await
}

fn token(request: &Value) -> &str {
    request["status"]["token"].as_str().unwrap()
}

/// What a review says about a token.
async fn review(caller: &Caller, token: &str, audiences: &[&str]) -> Value {
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let review = json!({ "spec": { "token": token, "audiences": audiences } });
    caller.create(path, &review).await["status"].clone()
}

#[tokio::test]
async fn a_token_lets_its_account_in_until_it_expires() {
    let caller = Caller::start().await;
    let robot = account(&caller, "robot").await;
    let request = token_request(&caller, json!({})).await;
    assert_eq!(request["spec"]["expirationSeconds"], 3600);
    assert_eq!(request["spec"]["audiences"], json!([ISSUER]));
    assert_eq!(request["metadata"]["uid"], robot["metadata"]["uid"]);

    let status = review(&caller, token(&request), &[]).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["user"]["username"], "system:serviceaccount:default:robot");
    let groups = [
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    ];
    assert_eq!(status["user"]["groups"], json!(groups));
    let id = &status["user"]["extra"]["authentication.kubernetes.io/credential-id"][0];
    assert!(id.as_str().unwrap().starts_with("JTI="), "{status}");

    // It is a user like any other.
    let refused = caller.get(token(&request), &format!("{NAMESPACE}/pods")).await;
    assert_eq!(refused.code, 403);
    assert!(
        refused
            .message()
            .contains("User \"system:serviceaccount:default:robot\" cannot list")
    );
    caller.advance(3600 + 61);
    assert_eq!(
        caller.get(token(&request), &format!("{NAMESPACE}/pods")).await.code,
        401
    );
    let status = review(&caller, token(&request), &[]).await;
    assert_eq!(
        status["error"],
        "[invalid bearer token, service account token has expired]"
    );
    caller.stop().await;
}

#[tokio::test]
async fn a_token_counts_for_its_audiences_only() {
    let caller = Caller::start().await;
    account(&caller, "robot").await;
    let request = token_request(&caller, json!({ "audiences": ["vault", "mesh"] })).await;
    let status = review(&caller, token(&request), &["mesh", "other"]).await;
    assert_eq!(
        (&status["authenticated"], &status["audiences"]),
        (&json!(true), &json!(["mesh"]))
    );
    assert_eq!(caller.get(token(&request), "/version").await.code, 401);
    let status = review(&caller, token(&request), &["other"]).await;
    let error =
        "[invalid bearer token, token audiences [\"vault\" \"mesh\"] is invalid for the target audiences [\"other\"]]";
    assert_eq!(status["error"], error);

    let forged = format!("{}AAAA", token(&request).get(..token(&request).len() - 4).unwrap());
    let status = review(&caller, &forged, &["mesh"]).await;
    assert_eq!(
        status["error"],
        "[invalid bearer token, go-jose/go-jose: error in cryptographic primitive]"
    );
    caller.stop().await;
}

#[tokio::test]
async fn a_token_dies_with_what_it_is_bound_to() {
    let caller = Caller::start().await;
    account(&caller, "robot").await;
    let containers = json!([{ "name": "app", "image": "app" }]);
    let spec = json!({ "serviceAccountName": "robot", "nodeName": "n1", "containers": containers });
    let pods = format!("{NAMESPACE}/pods");
    let pod = caller
        .create(&pods, &json!({ "metadata": { "name": "p" }, "spec": spec }))
        .await;
    caller
        .create("/api/v1/nodes", &json!({ "metadata": { "name": "n1" } }))
        .await;
    caller
        .create(&format!("{NAMESPACE}/secrets"), &json!({ "metadata": { "name": "s" } }))
        .await;

    let bound =
        |kind: &str, name: &str| json!({ "boundObjectRef": { "apiVersion": "v1", "kind": kind, "name": name } });
    let of_pod = token_request(&caller, bound("Pod", "p")).await;
    let of_secret = token_request(&caller, bound("Secret", "s")).await;
    let of_node = token_request(&caller, bound("Node", "n1")).await;
    let free = token_request(&caller, json!({})).await;
    let status = review(&caller, token(&of_pod), &[]).await;
    let extra = &status["user"]["extra"];
    assert_eq!(extra["authentication.kubernetes.io/pod-uid"][0], pod["metadata"]["uid"]);
    assert_eq!(extra["authentication.kubernetes.io/node-name"][0], "n1");

    let invalidated = "[invalid bearer token, service account token has been invalidated]";
    for (path, request) in [("/pods/p", &of_pod), ("/secrets/s", &of_secret)] {
        assert_eq!(review(&caller, token(request), &[]).await["authenticated"], true);
        caller.delete(&format!("{NAMESPACE}{path}")).await;
        assert_eq!(
            review(&caller, token(request), &[]).await["error"],
            invalidated,
            "{path}"
        );
    }
    assert_eq!(review(&caller, token(&of_node), &[]).await["authenticated"], true);
    caller.delete("/api/v1/nodes/n1").await;
    assert_eq!(review(&caller, token(&of_node), &[]).await["error"], invalidated);

    caller.delete(&format!("{NAMESPACE}/serviceaccounts/robot")).await;
    let gone = "[invalid bearer token, serviceaccounts \"robot\" not found]";
    assert_eq!(review(&caller, token(&free), &[]).await["error"], gone);
    account(&caller, "robot").await;
    let status = review(&caller, token(&free), &[]).await;
    assert!(
        status["error"].as_str().unwrap().contains("does not match claim"),
        "{status}"
    );
    caller.stop().await;
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let caller = Caller::start().await;
    account(&caller, "robot").await;
    let path = format!("{NAMESPACE}/serviceaccounts/robot/token");
    let ask = async |body: Value| {
        let answer = caller.post(ADMIN, &path, &body).await;
        (answer.code, answer.message().to_owned())
    };
    let bound = |kind: &str, name: &str| json!({ "spec": { "boundObjectRef": { "apiVersion": "v1", "kind": kind, "name": name } } });
    let cases = [
        (
            json!({ "spec": { "expirationSeconds": 599 } }),
            422,
            "may not specify a duration less than 10 minutes",
        ),
        (
            json!({ "spec": { "expirationSeconds": 4294967297_i64 } }),
            422,
            "may not specify a duration larger than 2^32",
        ),
        (
            json!({ "metadata": { "name": "other" } }),
            422,
            "must match the service account name if specified",
        ),
        (bound("Pod", "nosuch"), 404, "pods \"nosuch\" not found"),
        (bound("Pod", ""), 400, "Name parameter required."),
        (
            bound("ConfigMap", "x"),
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
    ];
    for (body, code, message) in cases {
        let answer = ask(body).await;
        assert_eq!(answer.0, code, "{message}");
        assert!(answer.1.contains(message), "{}", answer.1);
    }
    let missing = caller.post(ADMIN, &path.replace("robot", "nobody"), &json!({})).await;
    assert_eq!(
        (missing.code, missing.message()),
        (404, "serviceaccounts \"nobody\" not found")
    );
    caller.stop().await;
}

#[tokio::test]
async fn others_find_the_keys_of_the_issuer() {
    let caller = Caller::start().await;
    let configuration = caller.get(ADMIN, "/.well-known/openid-configuration").await;
    assert_eq!(configuration.headers["cache-control"], "public, max-age=3600");
    assert_eq!(configuration.body["issuer"], ISSUER);
    assert!(
        configuration.body["jwks_uri"]
            .as_str()
            .unwrap()
            .ends_with("/openid/v1/jwks")
    );
    // Only this document is there, and in one form only.
    assert_eq!(caller.get(ADMIN, "/openid/v1/jwks").await.code, 406);
    caller.stop().await;
}
