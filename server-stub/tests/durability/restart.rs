//! The server is killed during a watch and comes back empty: informers recover by themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{ListOptions, WriteOptions};
use kubewire_informers::{EventHandlerFuncs, SharedInformerFactory};
use tokio::sync::mpsc;

use crate::process::Process;

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.into()),
            ..Default::default()
        },
        ..Default::default()
    }
}

#[derive(Debug, PartialEq)]
enum Seen {
    Added(String),
    Deleted(String),
}

#[tokio::test]
async fn informers_follow_a_server_that_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), Vec::new()).await;
    let clientset = process.clientset();
    let config_maps = clientset.core_v1().config_maps("default");
    for index in 0..20 {
        config_maps
            .create(&config_map(&format!("old-{index}")), &WriteOptions::default())
            .await
            .unwrap();
    }
    let factory = SharedInformerFactory::builder(clientset.clone())
        .namespace("default")
        .build();
    let informer = factory.informer::<ConfigMap>();
    let namespaces = factory.informer::<Namespace>();
    let (added, mut seen) = mpsc::unbounded_channel();
    let deleted = added.clone();
    let handler = EventHandlerFuncs::new()
        .on_add(move |object, _| added.send(Seen::Added(object.key().name.clone())).unwrap_or_default())
        .on_delete(move |object, _| {
            deleted
                .send(Seen::Deleted(object.key().name.clone()))
                .unwrap_or_default()
        });
    informer.add_handler(handler).unwrap();
    factory.start();
    factory.wait_for_cache_sync().await.unwrap();
    let mut known = BTreeSet::new();
    let take = async |seen: &mut mpsc::UnboundedReceiver<Seen>, known: &mut BTreeSet<String>| {
        let event = tokio::time::timeout(Duration::from_secs(60), seen.recv())
            .await
            .expect("an event")
            .unwrap();
        match &event {
            Seen::Added(name) => assert!(known.insert(name.clone()), "{name} was added twice"),
            Seen::Deleted(name) => assert!(known.remove(name), "{name} was deleted and not known"),
        }
        event
    };
    while (0..20).any(|index| !known.contains(&format!("old-{index}"))) {
        take(&mut seen, &mut known).await;
    }
    let version_before: u64 = informer.last_sync_resource_version().as_number().unwrap();

    process.kill();
    process.restart().await;
    config_maps
        .create(&config_map("new"), &WriteOptions::default())
        .await
        .unwrap();
    // Versions begin anew: without this the test would not show what it says.
    let list = config_maps.list(&ListOptions::default()).await.unwrap();
    assert!(list.resource_version.as_number().unwrap() < version_before);

    while known.iter().any(|name| name.starts_with("old-")) || !known.contains("new") {
        take(&mut seen, &mut known).await;
    }
    // What the watch brings after the recovery arrives as well.
    config_maps
        .create(&config_map("later"), &WriteOptions::default())
        .await
        .unwrap();
    while !known.contains("later") {
        take(&mut seen, &mut known).await;
    }
    let list = config_maps.list(&ListOptions::default()).await.unwrap();
    let fresh: BTreeSet<_> = list
        .items
        .iter()
        .map(|object| object.metadata.clone())
        .map(|m| (m.name, m.resource_version))
        .collect();
    let cached: BTreeSet<_> = informer
        .lister()
        .list()
        .iter()
        .map(|object| object.decode().unwrap().metadata.clone())
        .map(|m| (m.name, m.resource_version))
        .collect();
    assert_eq!(cached, fresh);
    let fresh: BTreeSet<_> = clientset
        .core_v1()
        .namespaces()
        .list(&ListOptions::default())
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|n| n.metadata.uid)
        .collect();
    let uids = || -> BTreeSet<_> {
        namespaces
            .lister()
            .list()
            .iter()
            .map(|object| object.decode().unwrap().metadata.uid.clone())
            .collect()
    };
    let equal = async {
        while uids() != fresh {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), equal)
        .await
        .expect("the other informer recovers too");
    factory.shutdown().await;
    process.kill();
}
