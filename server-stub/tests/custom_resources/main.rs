//! Custom resources from end to end: defined, served, followed by an informer, converted, and gone with their definition.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test program

mod webhook;

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;
use kubewire_client::dynamic::{ApiResource, DynamicApi, DynamicObject};
use kubewire_client::rest::{Request, Verb};
use kubewire_client::{Client, Clientset, Gvr, ListOptions, ObjectKey, Patch, PatchOptions, WatchEvent, WriteOptions};
use kubewire_informers::SharedInformerFactory;
use kubewire_server_stub::testing::{Options, Server};
use serde_json::{Value, json};

use self::webhook::Webhook;

/// Far longer than anything takes.
const LIMIT: Duration = Duration::from_secs(60);

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

/// The objects of a version of the kind `Order`.
fn orders(client: &Client, version: &'static str) -> DynamicApi {
    DynamicApi::namespaced(client.clone(), &resource(version), "default")
}

fn resource(version: &'static str) -> ApiResource {
    ApiResource::new(Gvr::new("shop.example.com", version, "orders"), "Order", true)
}

fn definitions(client: &Client) -> DynamicApi {
    DynamicApi::new(client.clone(), &ApiResource::of::<CustomResourceDefinition>())
}

fn version(name: &str, storage: bool) -> Value {
    json!({
        "name": name, "served": true, "storage": storage,
        "schema": { "openAPIV3Schema": { "type": "object", "properties": {
            "spec": { "type": "object", "required": ["item"], "properties": {
                "item": { "type": "string", "minLength": 1 },
                "count": { "type": "integer", "minimum": 1, "default": 1 },
                "color": { "type": "string" },
                "lines": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": { "type": "object", "required": ["name"], "properties": {
                        "name": { "type": "string" }, "note": { "type": "string" } } } },
            } },
            "status": { "type": "object", "properties": { "sent": { "type": "integer" } } },
        } } },
        "subresources": { "status": {}, "scale": {
            "specReplicasPath": ".spec.count", "statusReplicasPath": ".status.sent",
        } },
        "selectableFields": [{ "jsonPath": ".spec.color" }],
    })
}

fn definition(versions: Value, conversion: Value) -> DynamicObject {
    object(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "orders.shop.example.com" },
        "spec": {
            "group": "shop.example.com", "scope": "Namespaced",
            "names": { "plural": "orders", "kind": "Order" },
            "versions": versions, "conversion": conversion,
        },
    }))
}

/// Creates the definition and waits until its objects can be created.
async fn define(client: &Client, definition: &DynamicObject) {
    let api = definitions(client);
    let created = api.create(definition, &WriteOptions::default()).await.unwrap();
    let version = created.metadata.resource_version.clone().unwrap();
    let from_there = ListOptions::default().with_resource_version(version.into());
    let mut changes = api.watch(&from_there).await.unwrap();
    let established = async {
        while let Some(event) = changes.try_next().await.unwrap() {
            let WatchEvent::Modified(definition) = event else {
                continue;
            };
            let definition = value(&definition);
            let conditions = definition["status"]["conditions"].as_array().unwrap();
            let is_established =
                |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
            if conditions.iter().any(is_established) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, established)
        .await
        .expect("the definition is not established");
}

fn order(name: &str, spec: Value) -> DynamicObject {
    object(json!({
        "apiVersion": "shop.example.com/v1", "kind": "Order", "metadata": { "name": name }, "spec": spec,
    }))
}

async fn server() -> (Server, Client) {
    let server = Server::start(Options::default()).await.unwrap();
    let client = Client::new(&server.client_config()).unwrap();
    (server, client)
}

#[tokio::test]
async fn objects_are_pruned_defaulted_and_checked() {
    let (server, client) = server().await;
    define(
        &client,
        &definition(json!([version("v1", true)]), json!({ "strategy": "None" })),
    )
    .await;
    let api = orders(&client, "v1");
    let options = WriteOptions::default();
    let made = api
        .create(&order("a", json!({ "item": "tea", "bogus": 1 })), &options)
        .await
        .unwrap();
    assert_eq!(made.data["spec"], json!({ "item": "tea", "count": 1 }));
    let error = api
        .create(&order("b", json!({ "item": "", "count": 0 })), &options)
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("spec.item in body should be at least 1 chars long"),
        "{message}"
    );
    assert!(
        message.contains("spec.count in body should be greater than or equal to 1"),
        "{message}"
    );
    // The status has a place of its own, and the generation counts what is wished for.
    let mut changed = value(&made);
    changed["spec"]["count"] = json!(2);
    changed["status"] = json!({ "sent": 1 });
    let updated = api.update(&object(changed.clone()), &options).await.unwrap();
    assert_eq!(
        (updated.metadata.generation, updated.data.get("status")),
        (Some(2), None)
    );
    changed["metadata"]["resourceVersion"] = updated.metadata.resource_version.into();
    changed["spec"]["count"] = json!(9);
    let updated = api
        .update_subresource(&object(changed), "status", &options)
        .await
        .unwrap();
    assert_eq!(updated.metadata.generation, Some(2));
    assert_eq!(
        (&updated.data["status"]["sent"], &updated.data["spec"]["count"]),
        (&json!(1), &json!(2))
    );
    let scale = Patch::Merge(json!({ "spec": { "replicas": 5 } }));
    let scaled = api
        .patch_subresource("a", "scale", &scale, &PatchOptions::default())
        .await
        .unwrap();
    assert_eq!(scaled.data["spec"]["replicas"], 5);
    assert_eq!(api.get("a").await.unwrap().data["spec"]["count"], 5);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn appliers_share_the_elements_of_a_list() {
    let (server, client) = server().await;
    define(
        &client,
        &definition(json!([version("v1", true)]), json!({ "strategy": "None" })),
    )
    .await;
    let api = orders(&client, "v1");
    let apply = |manager: &'static str, spec: Value| {
        let api = api.clone();
        async move {
            let applied = value(&order("a", spec));
            api.patch("a", &Patch::Apply(applied), &PatchOptions::apply(manager))
                .await
        }
    };
    apply("one", json!({ "item": "tea", "lines": [{ "name": "x", "note": "1" }] }))
        .await
        .unwrap();
    let both = apply("two", json!({ "item": "tea", "lines": [{ "name": "y" }] }))
        .await
        .unwrap();
    assert_eq!(
        both.data["spec"]["lines"],
        json!([{ "name": "x", "note": "1" }, { "name": "y" }])
    );
    let conflict = apply("two", json!({ "item": "tea", "lines": [{ "name": "x", "note": "2" }] })).await;
    let conflict = conflict.unwrap_err();
    assert!(conflict.is_conflict(), "{conflict}");
    // What nobody names any more goes.
    let one = apply("one", json!({ "item": "tea" })).await.unwrap();
    assert_eq!(one.data["spec"]["lines"], json!([{ "name": "y" }]));
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_informer_follows_objects_until_the_definition_takes_them_along() {
    let (server, client) = server().await;
    define(
        &client,
        &definition(json!([version("v1", true)]), json!({ "strategy": "None" })),
    )
    .await;
    let factory = SharedInformerFactory::new(Clientset::from_client(client.clone()));
    let informer = factory.dynamic(&resource("v1"));
    let mut events = informer.events().unwrap();
    informer.start();
    informer.wait_for_sync().await.unwrap();
    let api = orders(&client, "v1");
    let options = WriteOptions::default();
    for (name, color) in [("a", "red"), ("b", "blue")] {
        api.create(&order(name, json!({ "item": "tea", "color": color })), &options)
            .await
            .unwrap();
    }
    let red = api
        .list(&ListOptions::default().with_fields("spec.color=red"))
        .await
        .unwrap();
    assert_eq!(red.items.len(), 1);
    let mut held = value(&api.get("a").await.unwrap());
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    api.update(&object(held), &options).await.unwrap();
    definitions(&client)
        .delete("orders.shop.example.com", &DeleteOptions::default())
        .await
        .unwrap();
    // `b` goes, `a` is held; while that lasts, nothing new is made.
    let lister = informer.lister();
    let seen = async {
        loop {
            let a = lister.get(&ObjectKey::new("default", "a"));
            let b = lister.get(&ObjectKey::new("default", "b"));
            if b.is_none() && a.is_some_and(|a| a.is_deleting()) {
                return;
            }
            events.next().await;
        }
    };
    tokio::time::timeout(LIMIT, seen)
        .await
        .expect("the informer does not see the deletions");
    let error = api
        .create(&order("c", json!({ "item": "tea" })), &options)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("not allowed while custom resource definition is terminating"),
        "{error}"
    );
    let release = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    api.patch("a", &release, &PatchOptions::default()).await.unwrap();
    let gone = async {
        while !definitions(&client)
            .get("orders.shop.example.com")
            .await
            .is_err_and(|error| error.is_not_found())
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while !api
            .list(&ListOptions::default())
            .await
            .is_err_and(|error| error.is_not_found())
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("the definition stays");
    drop(events);
    factory.shutdown().await;
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn discovery_and_openapi_come_and_go_with_a_definition() {
    let (server, client) = server().await;
    let get = |path: &'static str| {
        let client = client.clone();
        async move {
            let request = Request::new(Verb::Get, path, path).json_only();
            let answer = client.send(request).await?.bytes().await?;
            Ok::<Value, kubewire_client::Error>(serde_json::from_slice(&answer).unwrap_or_default())
        }
    };
    assert!(get("/apis/shop.example.com/v1").await.unwrap_err().is_not_found());
    define(
        &client,
        &definition(json!([version("v1", true)]), json!({ "strategy": "None" })),
    )
    .await;
    let resources = get("/apis/shop.example.com/v1").await.unwrap();
    let names: Vec<&str> = resources["resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["name"].as_str())
        .collect();
    assert_eq!(names, ["orders", "orders/status", "orders/scale"]);
    let document = get("/openapi/v3/apis/shop.example.com/v1").await.unwrap();
    let order = &document["components"]["schemas"]["com.example.shop.v1.Order"];
    assert_eq!(order["properties"]["spec"]["properties"]["count"]["default"], 1);
    let whole = get("/openapi/v2").await.unwrap();
    assert!(whole["definitions"]["com.example.shop.v1.Order"].is_object());
    let index = get("/openapi/v3").await.unwrap();
    assert!(index["paths"]["apis/shop.example.com/v1"].is_object());
    // A change of the definition shows in both documents, although they are kept.
    let described = json!({ "type": "string", "description": "Who gets it." });
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/to";
    let patch = Patch::Json(json!([{ "op": "add", "path": path, "value": described }]));
    let name = "orders.shop.example.com";
    definitions(&client)
        .patch(name, &patch, &PatchOptions::default())
        .await
        .unwrap();
    let follows = async {
        loop {
            let document = get("/openapi/v3/apis/shop.example.com/v1").await.unwrap();
            let order = &document["components"]["schemas"]["com.example.shop.v1.Order"];
            if order["properties"]["spec"]["properties"]["to"] == described {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, follows)
        .await
        .expect("the document stays as it was");
    let whole = get("/openapi/v2").await.unwrap();
    let order = &whole["definitions"]["com.example.shop.v1.Order"];
    assert_eq!(order["properties"]["spec"]["properties"]["to"], described);
    // The group gets its APIService, which makes it known at `/apis`.
    let listed = async {
        loop {
            let groups = get("/apis").await.unwrap();
            let groups = groups["groups"].as_array().unwrap().clone();
            if groups.iter().any(|group| group["name"] == "shop.example.com") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, listed)
        .await
        .expect("the group is not listed");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_webhook_converts_between_versions() {
    let (server, client) = server().await;
    let webhook = Webhook::start().await;
    let conversion = json!({ "strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"],
        "clientConfig": { "url": webhook.url, "caBundle": webhook.ca_bundle },
    } });
    define(
        &client,
        &definition(json!([version("v1", true), version("v2", false)]), conversion),
    )
    .await;
    let (first, second) = (orders(&client, "v1"), orders(&client, "v2"));
    let options = WriteOptions::default();
    first
        .create(&order("a", json!({ "item": "tea" })), &options)
        .await
        .unwrap();
    let as_second = second.get("a").await.unwrap();
    assert_eq!(as_second.api_version, "shop.example.com/v2");
    assert_eq!(as_second.data["spec"]["item"], "tea as shop.example.com/v2");
    // What is written in the other version is stored in the first.
    let mut changed = value(&as_second);
    changed["spec"]["item"] = json!("milk");
    second.update(&object(changed), &options).await.unwrap();
    assert_eq!(
        first.get("a").await.unwrap().data["spec"]["item"],
        "milk as shop.example.com/v1"
    );
    // A webhook cannot make another object of what is stored.
    let mut changed = value(&second.get("a").await.unwrap());
    changed["spec"]["count"] = json!(2);
    webhook.rename();
    let error = second.update(&object(changed), &options).await.unwrap_err();
    let expected = "conversion webhook for shop.example.com/v1, Kind=Order returned invalid metadata: \
                    must have the same name: renamed != a";
    assert!(error.to_string().contains(expected), "{error}");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn dependents_go_with_a_custom_resource() {
    let server = Server::start(Options::default().with_garbage_collection())
        .await
        .unwrap();
    let client = Client::new(&server.client_config()).unwrap();
    define(
        &client,
        &definition(json!([version("v1", true)]), json!({ "strategy": "None" })),
    )
    .await;
    let orders = orders(&client, "v1");
    let options = WriteOptions::default();
    let owner = orders
        .create(&order("a", json!({ "item": "tea" })), &options)
        .await
        .unwrap();
    let config_maps = DynamicApi::namespaced(client.clone(), &ApiResource::of::<ConfigMap>(), "default");
    let dependent = object(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "d", "ownerReferences": [{
            "apiVersion": "shop.example.com/v1", "kind": "Order", "name": "a", "uid": owner.metadata.uid,
        }] },
    }));
    let dependent = config_maps.create(&dependent, &options).await.unwrap();
    let from_there = ListOptions::default().with_resource_version(dependent.metadata.resource_version.unwrap().into());
    let mut changes = config_maps.watch(&from_there).await.unwrap();
    orders.delete("a", &DeleteOptions::default()).await.unwrap();
    let gone = async {
        while let Some(event) = changes.try_next().await.unwrap() {
            if matches!(event, WatchEvent::Deleted(object) if object.metadata.name.as_deref() == Some("d")) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("the dependent stays");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn names_are_given_once() {
    let (server, client) = server().await;
    define(
        &client,
        &definition(json!([version("v1", true)]), json!({ "strategy": "None" })),
    )
    .await;
    let mut rival = value(&definition(json!([version("v1", true)]), json!({ "strategy": "None" })));
    rival["metadata"]["name"] = json!("rivals.shop.example.com");
    rival["spec"]["names"]["plural"] = json!("rivals");
    let api = definitions(&client);
    api.create(&object(rival), &WriteOptions::default()).await.unwrap();
    let refused = async {
        loop {
            let rival = value(&api.get("rivals.shop.example.com").await.unwrap());
            let conditions = rival["status"]["conditions"].as_array().cloned().unwrap_or_default();
            if let Some(condition) = conditions
                .into_iter()
                .find(|condition| condition["type"] == "NamesAccepted")
            {
                return condition;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let condition = tokio::time::timeout(LIMIT, refused)
        .await
        .expect("nobody looks at the names");
    assert_eq!(
        (condition["status"].as_str(), condition["reason"].as_str()),
        (Some("False"), Some("ListKindConflict"))
    );
    // Once the first is gone, its names are free.
    api.delete("orders.shop.example.com", &DeleteOptions::default())
        .await
        .unwrap();
    let accepted = async {
        loop {
            let rival = value(&api.get("rivals.shop.example.com").await.unwrap());
            if rival["status"]["acceptedNames"]["kind"] == "Order" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, accepted)
        .await
        .expect("the names are not given on");
    server.shutdown().await.unwrap();
}
