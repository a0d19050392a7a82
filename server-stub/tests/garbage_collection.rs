//! What becomes of dependents when their owner is deleted.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test program

use std::collections::BTreeSet;
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, OwnerReference};
use kubewire_client::{Api, Client, ListOptions, Patch, PatchOptions, WatchEvent, WriteOptions};
use kubewire_server_stub::testing::{Options, Server};
use serde_json::json;

/// Far longer than it takes.
const LIMIT: Duration = Duration::from_secs(60);

struct Family {
    api: Api<ConfigMap>,
    server: Server,
}

impl Family {
    async fn new() -> Self {
        let server = Server::start(Options::default().with_garbage_collection())
            .await
            .unwrap();
        let client = Client::new(&server.client_config()).unwrap();
        Self {
            api: Api::namespaced(client, "default"),
            server,
        }
    }

    /// Creates a member whose owners are these.
    async fn add(&self, name: &str, owners: &[&ConfigMap]) -> ConfigMap {
        let mut member = ConfigMap::default();
        member.metadata.name = Some(name.to_owned());
        let reference = |owner: &&ConfigMap| OwnerReference {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            name: owner.metadata.name.clone().unwrap(),
            uid: owner.metadata.uid.clone().unwrap(),
            block_owner_deletion: Some(true),
            ..OwnerReference::default()
        };
        member.metadata.owner_references = Some(owners.iter().map(reference).collect());
        self.api.create(&member, &WriteOptions::default()).await.unwrap()
    }

    async fn delete(&self, name: &str, policy: &str) {
        let options = DeleteOptions {
            propagation_policy: Some(policy.to_owned()),
            ..DeleteOptions::default()
        };
        self.api.delete(name, &options).await.unwrap();
    }

    /// Waits until these are gone, in any order but the last one last.
    async fn wait_for_the_end_of(&self, names: &[&str]) {
        let list = self.api.list(&ListOptions::default()).await.unwrap();
        let mut left: BTreeSet<&str> = names.iter().copied().collect();
        left.retain(|name| {
            list.items
                .iter()
                .any(|item| item.metadata.name.as_deref() == Some(name))
        });
        let options = ListOptions::default().with_resource_version(list.resource_version.clone());
        let mut watch = Box::pin(self.api.watch(&options).await.unwrap());
        let all = async {
            while !left.is_empty() {
                if let Some(WatchEvent::Deleted(object)) = watch.try_next().await.unwrap() {
                    left.remove(object.metadata.name.as_deref().unwrap());
                }
            }
        };
        tokio::time::timeout(LIMIT, all).await.expect("they are collected");
    }
}

#[tokio::test]
async fn dependents_go_after_their_owner() {
    let family = Family::new().await;
    let first = family.add("first", &[]).await;
    let other = family.add("other", &[]).await;
    let second = family.add("second", &[&first]).await;
    family.add("third", &[&second]).await;
    family.add("shared", &[&first, &other]).await;
    family.delete("first", "Background").await;
    family.wait_for_the_end_of(&["first", "second", "third"]).await;
    assert!(family.api.get("shared").await.is_ok(), "it has another owner");
    family.delete("other", "Background").await;
    family.wait_for_the_end_of(&["shared"]).await;
    family.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_owner_waits_for_its_dependents() {
    let family = Family::new().await;
    let owner = family.add("owner", &[]).await;
    family.add("held", &[&owner]).await;
    let hold = Patch::Merge(json!({ "metadata": { "finalizers": ["example.com/hold"] } }));
    family.api.patch("held", &hold, &PatchOptions::default()).await.unwrap();
    family.add("free", &[&owner]).await;
    family.delete("owner", "Foreground").await;
    family.wait_for_the_end_of(&["free"]).await;
    let waiting = family.api.get("owner").await.unwrap();
    assert_eq!(waiting.metadata.finalizers.unwrap(), ["foregroundDeletion"]);
    let release = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    family
        .api
        .patch("held", &release, &PatchOptions::default())
        .await
        .unwrap();
    family.wait_for_the_end_of(&["held", "owner"]).await;
    family.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn orphans_stay() {
    let family = Family::new().await;
    let owner = family.add("owner", &[]).await;
    family.add("child", &[&owner]).await;
    family.delete("owner", "Orphan").await;
    family.wait_for_the_end_of(&["owner"]).await;
    let child = family.api.get("child").await.unwrap();
    assert_eq!(child.metadata.owner_references.unwrap_or_default(), []);
    family.server.shutdown().await.unwrap();
}
