//! Dynamic access against a scripted transport.

use futures::StreamExt;
use http::header;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::*;
use crate::metadata::PartialObjectMetadata;
use crate::transport::script::{Script, answer, json_answer};
use crate::wire::transcode::encode_object;
use crate::{Client, Gvr, ListOptions, WatchEvent, WriteOptions};

fn orders() -> ApiResource {
    ApiResource::new(Gvr::new("shop.example", "v1", "orders"), "Order", true)
}

#[tokio::test]
async fn built_in_kinds_are_read_as_protobuf_and_sent_as_json() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let body = encode_object(&object).unwrap();
    let script = Script::new([Ok(answer(201, "application/vnd.kubernetes.protobuf", vec![body]))]);
    let api = DynamicApi::namespaced(
        Client::with_transport(script.clone()),
        &ApiResource::of::<ConfigMap>(),
        "shop",
    );
    let wanted: DynamicObject = serde_json::from_value(object).unwrap();
    let created = api.create(&wanted, &WriteOptions::default()).await.unwrap();
    assert_eq!(created, wanted);
    assert_eq!(
        created.to_typed::<ConfigMap>().unwrap().data.unwrap()["k"],
        "v",
        "readable as the Rust type too"
    );
    let request = script.requests.lock().remove(0);
    assert_eq!(request.headers()[header::CONTENT_TYPE], "application/json");
    assert!(
        request.headers()[header::ACCEPT]
            .to_str()
            .unwrap()
            .starts_with("application/vnd.kubernetes.protobuf")
    );
}

#[tokio::test]
async fn items_get_the_kind_that_the_list_does_not_repeat() {
    let list = json!({"apiVersion": "shop.example/v1", "kind": "OrderList", "metadata": {"resourceVersion": "7"},
        "items": [{"metadata": {"name": "a"}, "spec": {"items": 3}}]});
    let script = Script::new([Ok(json_answer(200, list))]);
    let api = DynamicApi::new(Client::with_transport(script.clone()), &orders());
    let list = api.list(&ListOptions::default()).await.unwrap();
    assert_eq!(list.items[0].gvk(), orders().gvk());
    assert_eq!(list.items[0].data["spec"]["items"], 3);
    assert_eq!(script.paths(), ["/apis/shop.example/v1/orders"]);
    let request = script.requests.lock().remove(0);
    assert_eq!(
        request.headers()[header::ACCEPT],
        "application/json",
        "custom resources have no protobuf"
    );
}

#[tokio::test]
async fn watches_and_subresources() {
    let event = json!({"type": "ADDED", "object": {"apiVersion": "shop.example/v1", "kind": "Order",
        "metadata": {"name": "a"}}});
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"},
        "spec": {"replicas": 2}});
    let script = Script::new([
        Ok(answer(200, "application/json", vec![format!("{event}\n").into()])),
        Ok(json_answer(200, scale)),
    ]);
    let api = DynamicApi::namespaced(Client::with_transport(script.clone()), &orders(), "shop");
    let events: Vec<_> = api.watch(&ListOptions::default()).await.unwrap().collect().await;
    assert!(matches!(&events[..], [Ok(WatchEvent::Added(order))] if order.kind == "Order"));
    let scale = api.get_subresource("a", "scale").await.unwrap();
    assert_eq!(
        (scale.kind.as_str(), &scale.data["spec"]["replicas"]),
        ("Scale", &json!(2))
    );
    assert_eq!(
        script.paths()[1],
        "/apis/shop.example/v1/namespaces/shop/orders/a/scale"
    );
}

#[tokio::test]
async fn rows_for_people() {
    let table = json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "7"},
        "columnDefinitions": [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}],
        "rows": [{"cells": ["a"], "object": {"kind": "PartialObjectMetadata", "metadata": {"name": "a"}}}]});
    let list = json!({"kind": "OrderList", "apiVersion": "shop.example/v1", "items": []});
    let script = Script::new([Ok(json_answer(200, table)), Ok(json_answer(200, list))]);
    let api = DynamicApi::new(Client::with_transport(script.clone()), &orders());
    let table = api.list_table(&ListOptions::default()).await.unwrap();
    assert_eq!(
        (table.column_definitions[0].name.as_str(), &table.rows[0].cells[0]),
        ("Name", &json!("a"))
    );
    let object: PartialObjectMetadata = serde_json::from_value(table.rows[0].object.clone().unwrap().0).unwrap();
    assert_eq!(object.metadata.name.as_deref(), Some("a"));
    let accept = script.requests.lock()[0].headers()[header::ACCEPT].clone();
    assert!(accept.to_str().unwrap().starts_with("application/json;as=Table"));
    let error = api.list_table(&ListOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("OrderList"), "{error}");
}
