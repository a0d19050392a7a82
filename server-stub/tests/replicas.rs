//! Several servers on one etcd; skipped with a notice where there is none.

#![cfg(feature = "etcd3")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test program

#[path = "support/free_port.rs"]
mod free_port;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Api, Clientset, Config, ListOptions, WatchEvent, WriteOptions};
use kubewire_server_stub::storage::Storage;
use kubewire_server_stub::storage::etcd3::Etcd3Storage;
use kubewire_server_stub::testing::{Etcd, Options, Server};

use free_port::free_port;

/// Far longer than it takes.
const LIMIT: Duration = Duration::from_secs(60);

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: named(name),
        ..ConfigMap::default()
    }
}

async fn start(etcd: &Etcd, count: usize) -> Vec<Server> {
    let servers = (0..count).map(|_| Server::start(Options::default().with_etcd_servers([etcd.url()])));
    join_all(servers).await.into_iter().map(Result::unwrap).collect()
}

fn clientset(server: &Server) -> Clientset {
    Clientset::new(&server.client_config()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_address_or_port_is_given_twice() {
    const SERVICES: usize = 200;
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let servers = start(&etcd, 3).await;
    let clients: Vec<Clientset> = servers.iter().map(clientset).collect();
    let created = (0..SERVICES).map(|number| {
        let services = clients[number % clients.len()].core_v1().services("default");
        let service = Service {
            metadata: named(&format!("s{number}")),
            spec: Some(ServiceSpec {
                type_: Some("NodePort".to_owned()),
                ports: Some(vec![ServicePort {
                    port: 80,
                    ..ServicePort::default()
                }]),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        };
        tokio::spawn(async move { services.create(&service, &WriteOptions::default()).await.unwrap() })
    });
    let created: Vec<Service> = join_all(created).await.into_iter().map(Result::unwrap).collect();
    let specs = || created.iter().map(|service| service.spec.as_ref().unwrap());
    let addresses: BTreeSet<_> = specs().map(|spec| spec.cluster_ip.clone().unwrap()).collect();
    let ports: BTreeSet<_> = specs()
        .map(|spec| spec.ports.as_ref().unwrap()[0].node_port.unwrap())
        .collect();
    assert_eq!((addresses.len(), ports.len()), (SERVICES, SERVICES));
    let leases = clients[0]
        .coordination_v1()
        .leases("kube-system")
        .list(&ListOptions::default())
        .await;
    assert_eq!(leases.unwrap().items.len(), servers.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_server_wrote_another_one_lists_at_once() {
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let servers = start(&etcd, 2).await;
    let apis: Vec<_> = servers
        .iter()
        .map(|s| clientset(s).core_v1().config_maps("default"))
        .collect();
    for number in 0..50 {
        let (writer, reader) = (&apis[number % 2], &apis[(number + 1) % 2]);
        let name = format!("c{number}");
        writer
            .create(&config_map(&name), &WriteOptions::default())
            .await
            .unwrap();
        let listed = reader.list(&ListOptions::default()).await.unwrap().items;
        assert!(
            listed.iter().any(|object| object.metadata.name.as_ref() == Some(&name)),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_cannot_go_on_after_its_version_was_compacted() {
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let servers = start(&etcd, 1).await;
    let api = clientset(&servers[0]).core_v1().config_maps("default");
    for name in ["a", "b", "c"] {
        api.create(&config_map(name), &WriteOptions::default()).await.unwrap();
    }
    let options = ListOptions::default().with_limit(1);
    let token = api.list(&options).await.unwrap().continue_token.unwrap();
    api.create(&config_map("d"), &WriteOptions::default()).await.unwrap();
    let store = Etcd3Storage::connect(&etcd.options()).await.unwrap();
    store.compact(store.current_revision().await.unwrap()).await.unwrap();
    let error = api.list(&options.with_continue(token)).await.unwrap_err();
    assert!(error.is_expired(), "{error}");
}

/// The real binary; killed without a chance to say goodbye.
struct Process(Child);

impl Process {
    async fn start(folder: &Path, etcd: &Etcd) -> (Self, Clientset) {
        let kubeconfig = folder.join("kubeconfig");
        let child = Command::new(env!("CARGO_BIN_EXE_kubewire-server-stub"))
            .args(["--bind-address", "127.0.0.1", "--secure-port", &free_port().to_string()])
            .args(["--etcd-servers", etcd.url()])
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
                    return clientset;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let clientset = tokio::time::timeout(LIMIT, ready).await.expect("the server starts");
        (process, clientset)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Creates config maps until the server is gone or there are enough; the names of those that were acknowledged.
async fn write(api: Api<ConfigMap>, prefix: String, count: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0..count {
        let name = format!("{prefix}-{number}");
        match api.create(&config_map(&name), &WriteOptions::default()).await {
            Ok(_) => acknowledged.push(name),
            Err(_) => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_when_a_server_is_killed() {
    const WRITES: usize = 60;
    let Some(etcd) = Etcd::start().await.unwrap() else {
        return;
    };
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let started = join_all(folders.iter().map(|folder| Process::start(folder.path(), &etcd))).await;
    let (mut processes, clients): (Vec<Process>, Vec<Clientset>) = started.into_iter().unzip();
    let api = |server: usize| clients[server].core_v1().config_maps("default");
    let from = api(1).list(&ListOptions::default()).await.unwrap().resource_version;
    let mut watch = api(1)
        .watch(&ListOptions::default().with_resource_version(from))
        .await
        .unwrap();
    let writers: Vec<_> = (0..12)
        .map(|number| tokio::spawn(write(api(number % 3), format!("w{number}"), WRITES)))
        .collect();
    let (mut seen, mut last) = (BTreeSet::new(), 0);
    let mut see = |event: WatchEvent<ConfigMap>| {
        let WatchEvent::Added(object) = event else {
            panic!("{event:?}")
        };
        let version: u64 = object.metadata.resource_version.unwrap().parse().unwrap();
        assert!(version > last, "{version} after {last}");
        last = version;
        assert!(seen.insert(object.metadata.name.unwrap()), "twice");
        seen.len()
    };
    // In the middle of it, so that some writes are under way.
    while see(watch.try_next().await.unwrap().unwrap()) < WRITES {}
    drop(processes.remove(0));
    let acknowledged: Vec<String> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    assert!(acknowledged.len() >= 8 * WRITES, "{}", acknowledged.len());
    let mut lists = Vec::new();
    for server in [1, 2] {
        let items = api(server).list(&ListOptions::default()).await.unwrap().items;
        let names: BTreeSet<String> = items.into_iter().filter_map(|item| item.metadata.name).collect();
        let lost: Vec<_> = acknowledged.iter().filter(|name| !names.contains(*name)).collect();
        assert!(lost.is_empty(), "{lost:?}");
        lists.push(names);
    }
    assert_eq!(lists[0], lists[1]);
    let written = lists[0].iter().filter(|name| name.starts_with('w')).count();
    let all = async { while see(watch.try_next().await.unwrap().unwrap()) < written {} };
    tokio::time::timeout(LIMIT, all)
        .await
        .expect("the watch tells of every write");
}
