//! The server is killed during a watch and comes back empty: informers recover by themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/free_port.rs"]
mod free_port;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Clientset, Config, ListOptions, WriteOptions};
use kubewire_informers::{EventHandlerFuncs, SharedInformerFactory};
use tokio::sync::mpsc;

use free_port::free_port;

/// The real binary; killed without a chance to say goodbye.
struct Process(Child);

impl Process {
    async fn start(folder: &Path, port: u16) -> (Self, Config) {
        let kubeconfig = folder.join("kubeconfig");
        let _ = std::fs::remove_file(&kubeconfig);
        let child = Command::new(env!("CARGO_BIN_EXE_kubewire-server-stub"))
            .args(["--bind-address", "127.0.0.1", "--secure-port", &port.to_string()])
            .arg("--cert-dir")
            .arg(folder.join("certs"))
            .arg("--write-kubeconfig")
            .arg(&kubeconfig)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self(child);
        let ready = async {
            loop {
                if let Ok(config) = Config::from_kubeconfig_file(&kubeconfig)
                    && let Ok(clientset) = Clientset::new(&config)
                    && clientset.core_v1().namespaces().get("default").await.is_ok()
                {
                    return config;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let config = tokio::time::timeout(Duration::from_secs(30), ready)
            .await
            .expect("the server starts");
        (process, config)
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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

#[derive(Debug, PartialEq)]
enum Seen {
    Added(String),
    Deleted(String),
}

#[tokio::test]
async fn informers_follow_a_server_that_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (mut process, config) = Process::start(folder.path(), port).await;
    let clientset = Clientset::new(&config).unwrap();
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
    let (mut process, _) = Process::start(folder.path(), port).await;
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
