//! The verbs against a scripted transport: what is sent, and how answers are read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Response, header};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta};
use serde_json::json;

use super::*;
use crate::transport::Body;
use crate::transport::script::{Script, answer, json_answer};
use crate::wire::{Envelope, Message};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

fn script(answers: impl IntoIterator<Item = Response<Body>>) -> (Arc<Script>, Api<ConfigMap>) {
    let script = Script::new(answers.into_iter().map(Ok));
    let client = Client::with_transport(script.clone());
    (script, Api::namespaced(client, "shop"))
}

fn status(code: u16, reason: &str) -> serde_json::Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "no"})
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.into()),
            ..Default::default()
        },
        ..Default::default()
    }
}

fn protobuf(object: &ConfigMap) -> Bytes {
    encode(object, Encoding::Protobuf).unwrap()
}

#[tokio::test]
async fn speaks_protobuf_without_compression() {
    let (script, api) = script([answer(201, PROTOBUF, vec![protobuf(&config_map("a"))])]);
    let created = api
        .create(&config_map("a"), &WriteOptions::default().with_dry_run())
        .await
        .unwrap();
    assert_eq!(created, config_map("a"));
    let request = script.requests.lock().remove(0);
    assert_eq!(request.uri(), "/api/v1/namespaces/shop/configmaps?dryRun=All");
    assert_eq!(
        request.headers()[header::ACCEPT],
        "application/vnd.kubernetes.protobuf,application/json"
    );
    assert_eq!(request.headers()[header::ACCEPT_ENCODING], "identity");
    assert_eq!(request.headers()[header::CONTENT_TYPE], PROTOBUF);
    let sent = Envelope::decode(request.body()).unwrap();
    assert_eq!((sent.api_version.as_str(), sent.kind.as_str()), ("v1", "ConfigMap"));
    assert_eq!(ConfigMap::from_protobuf(&sent.object.bytes).unwrap(), config_map("a"));
}

#[tokio::test]
async fn falls_back_to_json_once_and_remembers() {
    let object = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}});
    let refused = json_answer(415, status(415, "UnsupportedMediaType"));
    let (script, api) = script([refused, json_answer(201, object.clone()), json_answer(200, object)]);
    api.create(&config_map("a"), &WriteOptions::default()).await.unwrap();
    api.update(&config_map("a"), &WriteOptions::default()).await.unwrap();
    let requests = script.requests.lock();
    let types: Vec<_> = requests
        .iter()
        .map(|request| &request.headers()[header::CONTENT_TYPE])
        .collect();
    assert_eq!(types, [PROTOBUF, "application/json", "application/json"]);
    assert_eq!(requests[2].uri(), "/api/v1/namespaces/shop/configmaps/a");
}

#[tokio::test]
async fn a_refusal_is_a_typed_status() {
    let (_, api) = script([
        json_answer(404, status(404, "NotFound")),
        answer(500, "text/html", vec!["<h1>out of order</h1>".into()]),
    ]);
    let error = api.get("a").await.unwrap_err();
    assert!(error.is_not_found() && !error.is_conflict(), "{error:?}");
    assert_eq!(error.to_string(), r#"get configmaps "a" in namespace "shop": no"#);
    let error = api.get("a").await.unwrap_err();
    assert_eq!(error.code(), Some(500));
    assert!(error.to_string().contains("out of order"), "{error}");
    let error = api.get("../secrets/x").await.unwrap_err();
    assert!(error.to_string().contains("may not contain"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_the_server_asks() {
    let mut busy = json_answer(429, status(429, "TooManyRequests"));
    busy.headers_mut()
        .insert(header::RETRY_AFTER, http::HeaderValue::from_static("7"));
    let (_, api) = script([busy, answer(200, PROTOBUF, vec![protobuf(&config_map("a"))])]);
    let start = tokio::time::Instant::now();
    api.get("a").await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn no_request_hangs_for_ever() {
    let (_, api) = script([]);
    assert!(api.get("a").await.unwrap_err().is_timeout());
    let endless: Body = stream::pending().boxed();
    let (_, api) = script_of(Response::new(endless));
    assert!(api.list(&ListOptions::default()).await.unwrap_err().is_timeout());
}

fn script_of(answer: Response<Body>) -> (Arc<Script>, Api<ConfigMap>) {
    script([answer])
}

#[tokio::test]
async fn lists_name_the_broken_item() {
    let items = json!([{"metadata": {"name": "good"}}, {"metadata": {"name": "bad"}, "data": 5}]);
    let list =
        json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "9"}, "items": items});
    let (script, api) = script([json_answer(200, list.clone()), json_answer(200, list)]);
    let options = ListOptions::default().with_labels("a=b").with_limit(2);
    let error = api.list(&options).await.unwrap_err();
    assert!(error.is_decode() && error.to_string().contains("\"bad\""), "{error}");
    assert_eq!(api.list_encoded(&options).await.unwrap().items.len(), 2);
    assert_eq!(
        script.requests.lock()[0].uri().query(),
        Some("labelSelector=a%3Db&limit=2")
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_outlives_its_time_is_given_up() {
    let silent = answer(200, "application/json;stream=watch", Vec::new()).map(|_| stream::pending().boxed());
    let (_, api) = script([silent]);
    let minute = Duration::from_secs(60);
    let mut watch = api.watch(&ListOptions::default().with_timeout(minute)).await.unwrap();
    let start = tokio::time::Instant::now();
    let error = watch.next().await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(start.elapsed().as_secs(), 90);
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn errors_know_the_request() {
    let path = "/api/v1/namespaces/shop/configmaps";
    let (_, api) = script([json_answer(404, json!({})), json_answer(200, json!({"items": 1}))]);
    for url in [format!("{path}?labelSelector=app%3Dshop"), path.to_owned()] {
        let options = ListOptions::default().with_labels("app=shop");
        let error = api.list(&options).await.unwrap_err();
        assert_eq!(
            (error.verb(), error.url()),
            (Some(Verb::List), Some(url.as_str())),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_watch_that_is_refused_is_an_error_at_once() {
    // It looks like an event all the same.
    let event = json!({"type": "ADDED", "object": {"metadata": {"name": "a"}}});
    let (_, api) = script([
        json_answer(403, status(403, "Forbidden")),
        json_answer(500, event.clone()),
    ]);
    let error = api.watch(&ListOptions::default()).await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    let error = api.watch(&ListOptions::default()).await.unwrap_err();
    assert_eq!((error.code(), error.verb()), (Some(500), Some(Verb::Watch)));
}

#[tokio::test]
async fn a_watch_ends_with_the_servers_reason() {
    let lines = [
        json!({"type": "ADDED", "object": {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}}),
        json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12"}}}),
        json!({"type": "ERROR", "object": status(410, "Expired")}),
    ];
    let chunks = lines.iter().map(|line| format!("{line}\n").into()).collect();
    let (script, api) = script([answer(200, "application/json;stream=watch", chunks)]);
    let watch = api.watch(&ListOptions::default().with_bookmarks()).await.unwrap();
    let events: Vec<_> = watch.collect().await;
    assert!(matches!(&events[0], Ok(WatchEvent::Added(object)) if *object == config_map("a")));
    assert!(
        matches!(&events[1], Ok(WatchEvent::Bookmark { resource_version, .. }) if resource_version.as_str() == "12")
    );
    assert!(events[2].as_ref().unwrap_err().is_expired());
    assert_eq!(events.len(), 3);
    let request = script.requests.lock().remove(0);
    assert_eq!(request.uri().query(), Some("watch=true&allowWatchBookmarks=true"));
    assert!(
        request.headers()[header::ACCEPT]
            .to_str()
            .unwrap()
            .starts_with("application/vnd.kubernetes.protobuf,")
    );
}

#[tokio::test]
async fn a_delete_answers_with_status_or_object() {
    let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
    let (script, api) = script([
        json_answer(200, gone),
        answer(200, PROTOBUF, vec![protobuf(&config_map("a"))]),
    ]);
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        ..Default::default()
    };
    assert!(matches!(api.delete("a", &options).await.unwrap(), Deleted::Status(_)));
    assert_eq!(
        api.delete("a", &options).await.unwrap().into_object(),
        Some(config_map("a"))
    );
    let body = Envelope::decode(script.requests.lock()[0].body()).unwrap();
    assert_eq!(body.kind, "DeleteOptions");
    assert_eq!(DeleteOptions::from_protobuf(&body.object.bytes).unwrap(), options);
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let page = |name: &str, token: &str| {
        json_answer(
            200,
            json!({"kind": "ConfigMapList", "apiVersion": "v1",
                "metadata": {"resourceVersion": "9", "continue": token}, "items": [{"metadata": {"name": name}}]}),
        )
    };
    let (script, api) = script([page("a", "t1"), page("b", "t2"), page("c", "")]);
    let options = ListOptions::default().with_limit(1);
    let options = options.with_resource_version("5".into());
    let items: Vec<_> = api.items(options).try_collect().await.unwrap();
    assert_eq!(items, ["a", "b", "c"].map(config_map));
    let path = "/api/v1/namespaces/shop/configmaps?limit=1";
    assert_eq!(
        script.paths(),
        [
            format!("{path}&resourceVersion=5"),
            format!("{path}&continue=t1"),
            format!("{path}&continue=t2")
        ]
    );
}

#[tokio::test]
async fn proxies_to_what_listens_on_objects() {
    let (script, api) = script([answer(200, "text/plain", vec!["up 1".into()])]);
    let services: Api<k8s_openapi::api::core::v1::Service> = Api::namespaced(api.client().clone(), "shop");
    let target = ProxyTarget::new("web").with_port("http");
    let request = services.proxy(Verb::Get, &target, "/metrics?match=a b").unwrap();
    assert!(
        api.client().send(request).await.is_err(),
        "a space is no part of a path"
    );
    let request = services
        .proxy(Verb::Get, &target.with_https(), "/metrics?match=a%20b")
        .unwrap();
    assert_eq!(api.client().send(request).await.unwrap().bytes().await.unwrap(), "up 1");
    assert_eq!(
        script.paths(),
        ["/api/v1/namespaces/shop/services/https:web:http/proxy/metrics?match=a%20b"]
    );
    assert!(services.proxy(Verb::Get, &ProxyTarget::new("a/b"), "").is_err());
}
