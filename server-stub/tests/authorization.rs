//! Roles and bindings decide who may do what, and the reviews say so.

#![allow(clippy::unwrap_used)] // a test program

use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenReview};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kubewire_client::config::Credentials;
use kubewire_client::{Clientset, Config, ListOptions, WriteOptions};
use kubewire_server_stub::generic::request::UserInfo;
use kubewire_server_stub::testing::{Options, Server};
use serde_json::json;

const TOKEN: &str = "anns-token";

async fn start() -> (Server, Clientset, Clientset) {
    let ann = UserInfo {
        name: "ann".to_owned(),
        groups: vec!["staff".to_owned()],
        ..UserInfo::default()
    };
    let server = Server::start(Options::default().with_token(TOKEN, ann)).await.unwrap();
    let admin = Clientset::new(&server.client_config()).unwrap();
    let config = Config::new(server.url())
        .with_ca_pem(server.ca_pem())
        .with_credentials(Credentials::Token(TOKEN.into()));
    (server, admin, Clientset::new(&config).unwrap())
}

async fn may_list_pods(ann: &Clientset) -> bool {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some("default".to_owned()),
                verb: Some("list".to_owned()),
                resource: Some("pods".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api = ann.authorization_v1().self_subject_access_reviews();
    let review = api.create(&review, &WriteOptions::default()).await.unwrap();
    review.status.unwrap().allowed
}

#[tokio::test]
async fn a_binding_lets_a_user_in() {
    let (server, admin, ann) = start().await;
    let pods = ann.core_v1().pods("default");
    let refused = pods.list(&ListOptions::default()).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("User \"ann\" cannot list resource \"pods\""),
        "{refused}"
    );
    assert!(!may_list_pods(&ann).await);

    let options = WriteOptions::default();
    let role = json!({
        "metadata": { "name": "reader" },
        "rules": [{ "verbs": ["list"], "apiGroups": [""], "resources": ["pods"] }],
    });
    let roles = admin.rbac_v1().roles("default");
    roles
        .create(&serde_json::from_value(role).unwrap(), &options)
        .await
        .unwrap();
    let binding = json!({
        "metadata": { "name": "readers" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "staff" }],
    });
    let bindings = admin.rbac_v1().role_bindings("default");
    bindings
        .create(&serde_json::from_value(binding).unwrap(), &options)
        .await
        .unwrap();
    // The authorizer follows the bindings a moment later.
    while !may_list_pods(&ann).await {
        tokio::task::yield_now().await;
    }
    pods.list(&ListOptions::default()).await.unwrap();
    let secrets = ann.core_v1().secrets("default");
    assert!(secrets.list(&ListOptions::default()).await.is_err());
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn default_roles_are_there_and_everybody_knows_who_he_is() {
    let (server, admin, ann) = start().await;
    let view: ClusterRole = admin.rbac_v1().cluster_roles().get("view").await.unwrap();
    assert!(view.aggregation_rule.is_some());
    let options = WriteOptions::default();
    let api = ann.authentication_v1().self_subject_reviews();
    let me = api.create(&SelfSubjectReview::default(), &options).await.unwrap();
    let me = me.status.unwrap().user_info.unwrap();
    assert_eq!(me.username.as_deref(), Some("ann"));
    assert_eq!(me.groups.unwrap(), ["staff", "system:authenticated"]);
    let review: TokenReview = serde_json::from_value(json!({ "spec": { "token": TOKEN } })).unwrap();
    let answer = admin
        .authentication_v1()
        .token_reviews()
        .create(&review, &options)
        .await
        .unwrap();
    let status = answer.status.unwrap();
    assert_eq!(
        (status.authenticated, status.user.unwrap().username.as_deref()),
        (Some(true), Some("ann"))
    );
    server.shutdown().await.unwrap();
}
