//! What a real kube-apiserver kept in etcd, and what it served of it.
//!
//! The dump stands beside the repository (`../shared/etcd-dump`, or in the folder that `KUBEWIRE_SHARED` names); without
//! it the tests are skipped, and the one with a server also where there is no etcd.

#![cfg(feature = "etcd3")]
#![allow(clippy::unwrap_used, clippy::panic)] // a test program

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kubewire_server_stub::generic::request::UserInfo;
use kubewire_server_stub::registry::built_in;
use kubewire_server_stub::registry::codec::ObjectCodec;
use kubewire_server_stub::registry::facts::{self, ResourceFacts};
use kubewire_server_stub::registry::protobuf_codec::ProtobufCodec;
use kubewire_server_stub::registry::service_ranges::ServiceRanges;
use kubewire_server_stub::registry::storage_factory::{RestOptionsGetter, StorageFactory};
use kubewire_server_stub::storage::etcd3::Etcd3Storage;
use kubewire_server_stub::storage::memory::MemoryStorage;
use kubewire_server_stub::storage::{Change, Expected, Storage, Swap};
use kubewire_server_stub::testing::{Etcd, Options, Server};
use serde_json::Value;

/// What the server itself keeps up to date: the certificates that it trusts.
const OWN: &str = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
/// Stored by kube-apiserver before the last defaults, and here after them.
const DEFAULTED: [&str; 2] = [
    "/api/v1/namespaces/gold-kinds/persistentvolumeclaims/pvc1",
    "/apis/batch/v1/namespaces/gold-kinds/jobs/j1",
];

#[tokio::test]
async fn the_dump_is_served_as_it_was() {
    let (Some(dump), Some(etcd)) = (Dump::read(), Etcd::start().await.unwrap()) else {
        return;
    };
    dump.load(&Etcd3Storage::connect(&etcd.options()).await.unwrap()).await;
    let admin = UserInfo {
        name: "admin".to_owned(),
        groups: vec!["system:masters".to_owned()],
        ..UserInfo::default()
    };
    let options = Options::default()
        .with_token("token", admin)
        .with_etcd_servers([etcd.url()]);
    let server = Server::start(options).await.unwrap();
    // The only one that is compiled in; reqwest wants to be told.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(server.ca_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
    let mut different = Vec::new();
    for (path, wanted) in &dump.served {
        let request = client.get(format!("{}{path}", server.url())).bearer_auth("token");
        let text = request.send().await.unwrap().text().await.unwrap();
        let got: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if got != *wanted && path != OWN {
            different.push(format!("{path}\n  wanted {wanted}\n  got    {got}"));
        }
    }
    println!("{} objects", dump.served.len());
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different.join("\n")
    );
    server.shutdown().await.unwrap();
}

/// Every object that is served, stored again: under the same key, byte for byte the same.
#[tokio::test]
async fn what_is_stored_is_what_kube_apiserver_stores() {
    let Some(dump) = Dump::read() else { return };
    let stored: BTreeMap<&str, &Bytes> = dump.stored.values().map(|(key, value)| (key.as_str(), value)).collect();
    let factory = StorageFactory::new(Arc::new(MemoryStorage::default()));
    let (mut checked, mut different) = (0, Vec::new());
    for (path, object) in &dump.served {
        let Some((facts, namespace, name)) = built_in_resource(path) else {
            continue;
        };
        let Some(store) = built_in::open(facts, &factory, &ServiceRanges::default(), Default::default()) else {
            continue;
        };
        let mut object = object.clone();
        object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
        let (group, _) = facts.storage.unwrap();
        let media_type = factory.rest_options(group, facts.plural).media_type;
        let codec = ProtobufCodec::new(facts).unwrap().with_media_type(media_type);
        let key = store.info().key(namespace, name);
        let value = codec.encode(&object).unwrap();
        match stored.get(key.as_str()) {
            Some(_) if DEFAULTED.contains(&path.as_str()) => {}
            Some(wanted) if **wanted == value => checked += 1,
            Some(wanted) => different.push(format!("{key}\n  wanted {wanted:?}\n  got    {value:?}")),
            None => different.push(format!("{path} is not at {key}")),
        }
    }
    println!("{checked} objects");
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different.join("\n")
    );
    assert!(checked > 300, "{checked}");
}

/// Resource, namespace and name in a path.
fn built_in_resource(path: &str) -> Option<(&'static ResourceFacts, &str, &str)> {
    let mut parts = path.trim_start_matches('/').split('/');
    let (group, version) = match parts.next()? {
        "api" => ("", parts.next()?),
        _ => (parts.next()?, parts.next()?),
    };
    let rest: Vec<&str> = parts.collect();
    let (namespace, resource, name) = match rest[..] {
        ["namespaces", namespace, resource, name] => (namespace, resource, name),
        [resource, name] => ("", resource, name),
        _ => return None,
    };
    Some((facts::resource(group, version, resource)?, namespace, name))
}

struct Dump {
    /// Key and value by the revision that set it.
    stored: BTreeMap<u64, (String, Bytes)>,
    /// Path and object.
    served: Vec<(String, Value)>,
}

impl Dump {
    fn read() -> Option<Self> {
        let shared = std::env::var_os("KUBEWIRE_SHARED").map(PathBuf::from);
        let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
        let folder = shared.join("etcd-dump");
        if !folder.is_dir() {
            println!("skipped: there is no dump of etcd at {}", folder.display());
            return None;
        }
        let lines = |name: &str| {
            let text = zstd::decode_all(std::fs::File::open(folder.join(name)).unwrap()).unwrap();
            let values = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
            values.map(Result::unwrap).collect::<Vec<_>>()
        };
        let stored = lines("etcd.jsonl.zst").into_iter().map(|row| {
            let value = STANDARD.decode(row["value"].as_str().unwrap()).unwrap();
            let key = row["key"].as_str().unwrap().to_owned();
            (row["mod_revision"].as_u64().unwrap(), (key, value.into()))
        });
        let served = lines("served.jsonl.zst").into_iter().map(|mut row| {
            let path = row["path"].as_str().unwrap().to_owned();
            (path, row["object"].take())
        });
        Some(Self {
            stored: stored.collect(),
            served: served.collect(),
        })
    }

    /// Writes each key so that it gets the revision that it had.
    async fn load(&self, store: &dyn Storage) {
        let mut revision = store.current_revision().await.unwrap();
        let mut filler = Expected::Absent;
        for (at, (key, value)) in &self.stored {
            while revision + 1 < *at {
                revision = put(store, "/filler", filler, Bytes::new()).await;
                filler = Expected::Revision(revision);
            }
            revision = put(store, key, Expected::Absent, value.clone()).await;
            assert_eq!(revision, *at);
        }
    }
}

async fn put(store: &dyn Storage, key: &str, expected: Expected, value: Bytes) -> u64 {
    let change = Change::Put { value, ttl: None };
    match store.compare_and_swap(key, expected, change).await.unwrap() {
        Swap::Done { revision } => revision,
        Swap::Conflict { .. } => panic!("{key} is there already"),
    }
}
