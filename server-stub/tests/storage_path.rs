//! A server with a folder: the next one goes on with its objects, and watches go on where they were.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::api::WatchEvent;
use kubewire_client::{Clientset, ListOptions, WriteOptions};
use kubewire_server_stub::testing::{Options, Server};

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.into()),
            ..Default::default()
        },
        ..Default::default()
    }
}

#[tokio::test]
async fn the_next_server_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options::default().with_storage_path(folder.path());
    let server = Server::start(options()).await.unwrap();
    let clientset = Clientset::new(&server.client_config()).unwrap();
    let api = clientset.core_v1().config_maps("default");
    let first = api.create(&config_map("a"), &WriteOptions::default()).await.unwrap();
    let second = api.create(&config_map("b"), &WriteOptions::default()).await.unwrap();
    api.delete("a", &Default::default()).await.unwrap();
    server.shutdown().await.unwrap();

    let server = Server::start(options()).await.unwrap();
    let clientset = Clientset::new(&server.client_config()).unwrap();
    let api = clientset.core_v1().config_maps("default");
    assert_eq!(api.get("b").await.unwrap(), second);
    assert!(api.get("a").await.unwrap_err().is_not_found());
    let third = api.create(&config_map("c"), &WriteOptions::default()).await.unwrap();
    let options = ListOptions::default().with_resource_version(first.metadata.resource_version.unwrap().into());
    let mut watch = Box::pin(api.watch(&options).await.unwrap());
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(match watch.next().await.unwrap().unwrap() {
            WatchEvent::Added(object) => ("added", object.metadata.name.unwrap()),
            WatchEvent::Deleted(object) => ("deleted", object.metadata.name.unwrap()),
            other => panic!("{other:?}"),
        });
    }
    let names = |what: &'static str, name: &str| (what, name.to_owned());
    assert_eq!(seen, [names("added", "b"), names("deleted", "a"), names("added", "c")]);
    let version = |object: ConfigMap| object.metadata.resource_version.unwrap().parse::<u64>().unwrap();
    assert!(version(third) > version(second));
}
