//! Several servers on one etcd; skipped with a notice where there is none.

#![cfg(feature = "etcd3")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test program

use std::collections::BTreeSet;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Clientset, ListOptions, WriteOptions};
use kubewire_server_stub::storage::Storage;
use kubewire_server_stub::storage::etcd3::Etcd3Storage;
use kubewire_server_stub::testing::{Etcd, Options, Server};

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
