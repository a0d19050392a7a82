//! The client's untyped sides against a server: discovery, dynamic and metadata-only access, tables, pages.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test program

use std::pin::pin;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kubewire_client::discovery::{Discovery, RestMapper};
use kubewire_client::dynamic::{ApiResource, DynamicApi, DynamicObject};
use kubewire_client::metadata::{MetadataApi, PartialObjectMetadata};
use kubewire_client::{Api, Client, Gvk, Gvr, ListOptions, Patch, PatchOptions, WatchEvent, WriteOptions};
use kubewire_server_stub::testing::{Options, Server};
use serde_json::json;

async fn start() -> (Server, Client) {
    let server = Server::start(Options::default()).await.unwrap();
    let client = Client::new(&server.client_config()).unwrap();
    (server, client)
}

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "data": {"key": "value"},
    }))
    .unwrap()
}

#[tokio::test]
async fn discovery_knows_every_resource_and_what_words_mean() {
    let (server, client) = start().await;
    let discovery = Discovery::new(client);
    assert!(discovery.server_version().await.unwrap().git_version.starts_with('v'));
    let catalog = discovery.catalog().await.unwrap();
    assert!(catalog.serves(&Gvr::new("apps", "v1", "deployments")));
    assert!(!catalog.serves(&Gvr::new("apps", "v1", "pods")));
    let pods = catalog.resource_of(&Gvk::new("", "v1", "Pod")).unwrap();
    assert!(pods.supports("watch") && pods.subresources.iter().any(|sub| sub.name == "status"));
    assert_eq!(
        discovery.catalog().await.unwrap(),
        catalog,
        "the second time from the ETag"
    );

    let mapper = RestMapper::new(discovery);
    for (word, resource) in [
        ("po", "pods"),
        ("deploy", "deployments"),
        ("cm", "configmaps"),
        ("ing", "ingresses"),
    ] {
        let found = mapper.resource_for_argument(word).await.unwrap();
        assert_eq!(found.gvr.resource, resource);
    }
    assert!(mapper.resource_for_argument("nonsense").await.is_err());
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn dynamic_objects_are_those_of_the_typed_api() {
    let (server, client) = start().await;
    let api = DynamicApi::namespaced(client.clone(), &ApiResource::of::<ConfigMap>(), "default");
    let typed: Api<ConfigMap> = Api::namespaced(client, "default");

    let wanted = DynamicObject::from_typed(&config_map("a")).unwrap();
    let created = api.create(&wanted, &WriteOptions::default()).await.unwrap();
    assert_eq!(
        (created.api_version.as_str(), created.kind.as_str()),
        ("v1", "ConfigMap")
    );
    assert_eq!(created.to_typed::<ConfigMap>().unwrap(), typed.get("a").await.unwrap());

    let list = api.list(&ListOptions::default().with_labels("app=web")).await.unwrap();
    assert_eq!(list.items, [created]);
    let options = ListOptions::default().with_resource_version(list.resource_version.clone());
    let mut events = pin!(api.watch(&options).await.unwrap());
    let patch = Patch::Merge(json!({"data": {"key": "other"}}));
    let patched = api.patch("a", &patch, &PatchOptions::default()).await.unwrap();
    assert_eq!(patched.data["data"]["key"], "other");
    assert_eq!(events.next().await.unwrap().unwrap(), WatchEvent::Modified(patched));
    api.delete("a", &Default::default()).await.unwrap();
    assert!(api.get("a").await.unwrap_err().is_not_found());
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn metadata_and_tables_leave_the_content_on_the_server() {
    let (server, client) = start().await;
    let secrets = Api::<Secret>::namespaced(client.clone(), "default");
    let secret = json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "stringData": {"password": "s3cr3t"}});
    let secret = serde_json::from_value(secret).unwrap();
    let created = secrets.create(&secret, &WriteOptions::default()).await.unwrap();

    let resource = ApiResource::of::<Secret>();
    let metadata = MetadataApi::namespaced(client.clone(), &resource, "default");
    let read = metadata.get("a").await.unwrap();
    assert_eq!(read.metadata, created.metadata);
    let list = metadata.list_encoded(&ListOptions::default()).await.unwrap();
    assert_eq!(list.items.len(), 1);
    let bytes = &list.items[0].bytes;
    assert!(!bytes.windows(6).any(|window| window == b"s3cr3t"));

    let options = ListOptions::default().with_resource_version(list.resource_version);
    let mut events = pin!(metadata.watch(&options).await.unwrap());
    let patch = Patch::Merge(json!({"metadata": {"labels": {"x": "z"}}}));
    let patched = metadata.patch("a", &patch, &PatchOptions::default()).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap(), WatchEvent::Modified(patched));

    let table = DynamicApi::namespaced(client, &resource, "default");
    let table = table.list_table(&ListOptions::default()).await.unwrap();
    let columns: Vec<_> = table
        .column_definitions
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(columns, ["Name", "Type", "Data", "Age"]);
    assert_eq!(table.rows[0].cells[..3], [json!("a"), json!("Opaque"), json!(1)]);
    let object = table.rows[0].object.clone().unwrap().0;
    let object: PartialObjectMetadata = serde_json::from_value(object).unwrap();
    assert_eq!(object.metadata.uid, created.metadata.uid);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn pages_are_one_snapshot() {
    let (server, client) = start().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    for index in 0..25 {
        let object = config_map(&format!("cm-{index:02}"));
        api.create(&object, &WriteOptions::default()).await.unwrap();
    }
    let options = ListOptions::default().with_labels("app=web").with_limit(10);
    let mut pages = pin!(api.pages(options));
    let first = pages.try_next().await.unwrap().unwrap();
    api.delete("cm-20", &Default::default()).await.unwrap();
    let mut names: Vec<_> = first
        .items
        .into_iter()
        .map(|object| object.metadata.name.unwrap())
        .collect();
    while let Some(page) = pages.try_next().await.unwrap() {
        assert_eq!(page.resource_version, first.resource_version);
        names.extend(page.items.into_iter().map(|object| object.metadata.name.unwrap()));
    }
    let expected: Vec<_> = (0..25).map(|index| format!("cm-{index:02}")).collect();
    assert_eq!(names, expected);
    let none: Vec<Pod> = Api::<Pod>::new(client)
        .items(Default::default())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(none, []);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_applied_scale_changes_the_replicas_and_owns_them() {
    let (server, client) = start().await;
    let deployments = DynamicApi::namespaced(client, &ApiResource::of::<Deployment>(), "default");
    let labels = json!({ "app": "web" });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": {
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "main", "image": "registry.example.com/web:1" }] },
            },
        },
    });
    let deployment: DynamicObject = serde_json::from_value(deployment).unwrap();
    deployments.create(&deployment, &WriteOptions::default()).await.unwrap();
    let scale = Patch::Apply(json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "spec": { "replicas": 3 } }));
    let apply = |manager: &str| PatchOptions::apply(manager);
    let conflict = deployments
        .patch_subresource("web", "scale", &scale, &apply("scaler"))
        .await;
    assert!(conflict.unwrap_err().is_conflict(), "the creator owns the replicas");
    let forced = apply("scaler").with_force();
    let scaled = deployments
        .patch_subresource("web", "scale", &scale, &forced)
        .await
        .unwrap();
    assert_eq!(
        (scaled.kind.as_str(), &scaled.data["spec"]["replicas"]),
        ("Scale", &json!(3))
    );
    let deployment = deployments.get("web").await.unwrap();
    assert_eq!(deployment.data["spec"]["replicas"], 3);
    let managers = deployment.metadata.managed_fields.unwrap();
    let scaler = managers
        .iter()
        .find(|entry| entry.manager.as_deref() == Some("scaler"))
        .unwrap();
    assert_eq!(
        (scaler.operation.as_deref(), scaler.subresource.as_deref()),
        (Some("Apply"), Some("scale"))
    );
    server.shutdown().await.unwrap();
}
