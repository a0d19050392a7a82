//! Discovery against a scripted transport.

use std::sync::Arc;

use http::HeaderValue;
use serde_json::{Value, json};

use super::*;
use crate::resource::{Gvk, Gvr};
use crate::transport::script::{Script, answer, json_answer};

fn aggregated(items: Value) -> Value {
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn core() -> Value {
    aggregated(
        json!([{"metadata": {}, "versions": [{"version": "v1", "freshness": "Current", "resources": [
            {"resource": "pods", "responseKind": {"group": "", "version": "", "kind": "Pod"}, "scope": "Namespaced",
             "singularResource": "pod", "verbs": ["get", "list"], "shortNames": ["po"], "categories": ["all"],
             "subresources": [
                {"subresource": "status", "responseKind": {"group": "", "version": "", "kind": "Pod"}, "verbs": ["get"]},
                {"subresource": "eviction", "responseKind": {"group": "policy", "version": "v1", "kind": "Eviction"},
                 "verbs": ["create"]}]},
            {"resource": "events", "responseKind": {"kind": "Event"}, "scope": "Namespaced", "verbs": ["get"]},
        ]}]}]),
    )
}

fn groups() -> Value {
    aggregated(json!([
        {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "freshness": "Current", "resources": [
            {"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced",
             "singularResource": "deployment", "verbs": ["get"], "shortNames": ["deploy"]}]}]},
        {"metadata": {"name": "events.k8s.io"}, "versions": [{"version": "v1", "freshness": "Stale", "resources": [
            {"resource": "events", "responseKind": {"kind": "Event"}, "scope": "Namespaced", "verbs": ["get"]}]}]},
    ]))
}

fn tagged(document: Value) -> http::Response<crate::transport::Body> {
    let mut answer = json_answer(200, document);
    answer.headers_mut().insert("etag", HeaderValue::from_static("\"one\""));
    answer
}

fn discovery(answers: Vec<http::Response<crate::transport::Body>>) -> (Arc<Script>, Discovery) {
    let script = Script::new(answers.into_iter().map(Ok));
    (script.clone(), Discovery::new(Client::with_transport(script)))
}

#[tokio::test]
async fn two_requests_and_then_two_short_ones() {
    let unchanged = || answer(304, "", vec![]);
    let (script, discovery) = discovery(vec![tagged(core()), tagged(groups()), unchanged(), unchanged()]);
    let first = discovery.catalog().await.unwrap();
    assert_eq!(discovery.catalog().await.unwrap(), first);
    assert_eq!(script.paths(), ["/api", "/apis", "/api", "/apis"]);
    assert_eq!(script.requests.lock()[3].headers()["if-none-match"], "\"one\"");

    let pods = first.resource(&Gvr::new("", "v1", "pods")).unwrap();
    assert!(pods.resource.namespaced && pods.supports("list") && !pods.supports("watch"));
    let kinds: Vec<_> = pods.subresources.iter().map(|sub| sub.kind.to_string()).collect();
    assert_eq!(kinds, ["v1, Kind=Pod", "policy/v1, Kind=Eviction"]);
    assert!(!first.group("events.k8s.io").unwrap().versions[0].fresh);
}

#[tokio::test]
async fn the_first_aggregated_form() {
    let mut documents = [core(), groups()];
    for document in &mut documents {
        document["apiVersion"] = json!("apidiscovery.k8s.io/v2beta1");
    }
    let (_, discovery) = discovery(documents.map(|document| json_answer(200, document)).into());
    let catalog = discovery.catalog().await.unwrap();
    assert!(catalog.serves(&Gvr::new("apps", "v1", "deployments")) && catalog.serves(&Gvr::new("", "v1", "pods")));
}

#[tokio::test]
async fn an_old_server_is_asked_group_by_group() {
    let list = json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get"],
         "shortNames": ["po"]},
        {"name": "pods/eviction", "singularName": "", "namespaced": true, "kind": "Eviction", "group": "policy",
         "version": "v1", "verbs": ["create"]}]});
    let groups = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [
        {"name": "apps", "versions": [{"groupVersion": "apps/v1beta1", "version": "v1beta1"},
            {"groupVersion": "apps/v1", "version": "v1"}],
         "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}}]});
    let deployments = json!({"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [
        {"name": "deployments", "singularName": "", "namespaced": true, "kind": "Deployment", "verbs": ["get"]}]});
    let down = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound"});
    let (script, discovery) = discovery(vec![
        json_answer(200, json!({"kind": "APIVersions", "versions": ["v1"]})),
        json_answer(200, list),
        json_answer(200, groups),
        json_answer(200, deployments),
        json_answer(404, down),
    ]);
    let catalog = discovery.catalog().await.unwrap();
    assert_eq!(
        script.paths(),
        ["/api", "/api/v1", "/apis", "/apis/apps/v1", "/apis/apps/v1beta1"]
    );
    let pods = catalog.resource_of(&Gvk::new("", "v1", "Pod")).unwrap();
    assert_eq!(pods.subresources[0].kind.to_string(), "policy/v1, Kind=Eviction");
    let apps = catalog.group("apps").unwrap();
    assert_eq!((apps.versions[0].fresh, apps.versions[1].fresh), (true, false));
}

#[tokio::test]
async fn words_find_the_resource_that_kubectl_would() {
    let (_, discovery) = discovery(vec![tagged(core()), tagged(groups())]);
    let mapper = RestMapper::new(discovery);
    for (argument, found) in [
        ("po", "v1, Resource=pods"),
        ("Pod", "v1, Resource=pods"),
        ("deploy", "apps/v1, Resource=deployments"),
        ("deployments.apps", "apps/v1, Resource=deployments"),
        ("deployments.v1.apps", "apps/v1, Resource=deployments"),
        ("deployment.ap", "apps/v1, Resource=deployments"),
        ("events", "v1, Resource=events"),
        ("events.v1", "v1, Resource=events"),
        ("events.events.k8s.io", "events.k8s.io/v1, Resource=events"),
        ("events.v1.events.k8s.io", "events.k8s.io/v1, Resource=events"),
    ] {
        let resource = mapper.resource_for_argument(argument).await.unwrap();
        assert_eq!(resource.gvr.to_string(), found, "{argument}");
    }
    let resource = mapper.resource_for_kind(&Gvk::new("apps", "", "Deployment")).await;
    assert_eq!(resource.unwrap().gvr.version, "v1");
}

#[tokio::test(start_paused = true)]
async fn a_new_resource_is_found_without_a_reset() {
    let documents = [core(), aggregated(json!([])), core(), groups()];
    let (script, discovery) = discovery(documents.map(|document| json_answer(200, document)).into());
    let mapper = RestMapper::new(discovery);
    let error = mapper.resource_for_argument("deploy").await.unwrap_err();
    assert!(matches!(error, MapperError::NoResource(_)), "{error}");
    assert_eq!(script.paths().len(), 2, "the answer was new enough");
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    let found = mapper.resource_for_argument("deploy").await.unwrap();
    assert_eq!((found.kind.as_str(), script.paths().len()), ("Deployment", 4));
}
