use std::sync::Arc;

use serde_json::{Value, json};

use crate::registry::service_ranges::{IpNetwork, ServiceRanges};
use crate::registry::storage_factory::StorageFactory;
use crate::registry::{DeleteOptions, Store, UpdateOptions, WriteContext, built_in, facts};
use crate::storage::memory::MemoryStorage;
use crate::storage::{Change, Expected, Storage};

struct Services {
    store: Arc<Store>,
    storage: Arc<dyn Storage>,
}

fn services(network: &str) -> Services {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let facts = facts::resources()
        .iter()
        .find(|facts| facts.plural == "services")
        .unwrap();
    let ranges = ServiceRanges {
        networks: vec![IpNetwork::parse(network).unwrap()],
        node_ports: 30000..=30003,
    };
    let store = built_in::open(facts, &StorageFactory::from(&storage), &ranges, Default::default()).unwrap();
    let store = Arc::new(store);
    Services { store, storage }
}

impl Services {
    async fn create(&self, name: &str, spec: Value) -> Result<Value, String> {
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        let created = self.store.create(&WriteContext::default(), "ns", object).await;
        created
            .map(|object| (*object.document()).clone())
            .map_err(|error| error.message().to_owned())
    }

    async fn replace(&self, name: &str, spec: Value) -> Result<Value, String> {
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        let mutate = |_: &Value| Ok(object.clone());
        let context = WriteContext::default();
        let updated = self
            .store
            .update(&context, "ns", name, None, mutate, UpdateOptions::default())
            .await;
        updated
            .map(|(object, _)| (*object.document()).clone())
            .map_err(|error| error.message().to_owned())
    }

    async fn delete(&self, name: &str) {
        let context = WriteContext::default();
        self.store
            .delete(&context, "ns", name, DeleteOptions::default())
            .await
            .unwrap();
    }

    async fn is_taken(&self, address: &str) -> bool {
        let key = format!("/registry/ipaddresses/{address}");
        self.storage.get(&key, None).await.unwrap().kv.is_some()
    }
}

#[tokio::test]
async fn addresses_are_given_once_and_given_back() {
    let services = services("10.7.0.0/30");
    let first = services
        .create("a", json!({ "ports": [{ "port": 80 }] }))
        .await
        .unwrap();
    let address = first["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert_eq!(first["spec"]["clusterIPs"], json!([address]));
    assert_eq!(first["spec"]["ipFamilies"], json!(["IPv4"]));
    assert_eq!(first["spec"]["ipFamilyPolicy"], "SingleStack");
    assert!(services.is_taken(&address).await);
    let again = services
        .create("b", json!({ "clusterIP": address, "ports": [{ "port": 80 }] }))
        .await;
    assert_eq!(
        again.unwrap_err(),
        format!(
            "Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"{address}\"]: failed to allocate IP \
             {address}: provided IP is already allocated"
        )
    );
    services
        .create("c", json!({ "ports": [{ "port": 80 }] }))
        .await
        .unwrap();
    let full = services
        .create("d", json!({ "ports": [{ "port": 80 }] }))
        .await
        .unwrap_err();
    assert!(
        full.ends_with("failed to allocate a serviceIP for Service \"d\": range is full"),
        "{full}"
    );
    services.delete("a").await;
    assert!(!services.is_taken(&address).await);
}

#[tokio::test]
async fn what_is_refused_keeps_nothing() {
    let services = services("10.7.0.0/30");
    for _ in 0..5 {
        let refused = services
            .create("a", json!({ "selector": { "a": "b" } }))
            .await
            .unwrap_err();
        assert_eq!(refused, "Service \"a\" is invalid: spec.ports: Required value");
    }
    services
        .create("a", json!({ "ports": [{ "port": 80 }] }))
        .await
        .unwrap();
    let outside = json!({ "clusterIP": "1.2.3.4", "ports": [{ "port": 80 }] });
    assert!(
        services
            .create("b", outside)
            .await
            .unwrap_err()
            .ends_with("failed to allocate IP 1.2.3.4: the provided network does not match the current range")
    );
}

#[tokio::test]
async fn addresses_stay() {
    let services = services("10.7.0.0/24");
    let made = services
        .create("a", json!({ "ports": [{ "port": 80 }] }))
        .await
        .unwrap();
    let kept = services
        .replace("a", json!({ "ports": [{ "port": 81 }] }))
        .await
        .unwrap();
    assert_eq!(made["spec"]["clusterIP"], kept["spec"]["clusterIP"]);
    services
        .create("b", json!({ "clusterIP": "10.7.0.9", "ports": [{ "port": 80 }] }))
        .await
        .unwrap();
    let stolen = services
        .replace("a", json!({ "clusterIP": "10.7.0.9", "ports": [{ "port": 80 }] }))
        .await;
    assert!(stolen.unwrap_err().ends_with("may not change once set"));
    assert!(services.is_taken("10.7.0.9").await);
    let external = json!({ "type": "ExternalName", "externalName": "example.com" });
    let external = services.replace("a", external).await.unwrap();
    assert_eq!(external["spec"].get("clusterIP"), None);
    assert!(!services.is_taken(made["spec"]["clusterIP"].as_str().unwrap()).await);
}

#[tokio::test]
async fn headless_services_have_no_address() {
    let services = services("10.7.0.0/24");
    let made = services.create("a", json!({ "clusterIP": "None" })).await.unwrap();
    assert_eq!(made["spec"]["clusterIPs"], json!(["None"]));
    assert_eq!(made["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    assert_eq!(made["spec"]["ipFamilyPolicy"], "RequireDualStack");
    let with_selector = json!({ "clusterIP": "None", "selector": { "a": "b" } });
    let made = services.create("b", with_selector).await.unwrap();
    assert_eq!(made["spec"]["ipFamilies"], json!(["IPv4"]));
}

#[tokio::test]
async fn node_ports() {
    let services = services("10.7.0.0/24");
    let chosen = json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 30001 }] });
    services.create("a", chosen.clone()).await.unwrap();
    assert_eq!(
        services.create("b", chosen).await.unwrap_err(),
        "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated"
    );
    let both = json!([{ "name": "t", "port": 53 }, { "name": "u", "port": 53, "protocol": "UDP" }]);
    let dns = services
        .create("c", json!({ "type": "NodePort", "ports": both }))
        .await
        .unwrap();
    assert_eq!(dns["spec"]["ports"][0]["nodePort"], dns["spec"]["ports"][1]["nodePort"]);
    let local = json!({ "type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{ "port": 80 }] });
    let local = services.create("d", local).await.unwrap();
    assert_ne!(local["spec"]["healthCheckNodePort"], Value::Null);
    let none_left = services
        .create("e", json!({ "type": "NodePort", "ports": [{ "port": 80 }] }))
        .await;
    assert!(
        none_left
            .unwrap_err()
            .ends_with("failed to allocate a nodePort: range is full")
    );
    let cluster = services
        .replace("a", json!({ "type": "ClusterIP", "ports": [{ "port": 80 }] }))
        .await
        .unwrap();
    assert_eq!(cluster["spec"]["ports"][0].get("nodePort"), None);
    let kept = services
        .replace("c", json!({ "type": "NodePort", "ports": both }))
        .await
        .unwrap();
    assert_eq!(kept["spec"]["ports"], dns["spec"]["ports"]);
    services.delete("d").await;
    for name in ["f", "g", "h"] {
        services
            .create(name, json!({ "type": "NodePort", "ports": [{ "port": 80 }] }))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn balancers_say_where_they_are() {
    let services = services("10.7.0.0/24");
    let balanced = json!({ "type": "LoadBalancer", "ports": [{ "port": 80 }] });
    services.create("a", balanced).await.unwrap();
    let mutate = |service: &Value| {
        let mut service = service.clone();
        service["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.5" }] } });
        Ok(service)
    };
    let (context, options) = (WriteContext::default(), UpdateOptions::default());
    let updated = services
        .store
        .update(&context, "ns", "a", Some("status"), mutate, options)
        .await;
    let ingress = updated.unwrap().0.document()["status"]["loadBalancer"]["ingress"].clone();
    assert_eq!(ingress, json!([{ "ip": "203.0.113.5", "ipMode": "VIP" }]));
}

#[tokio::test]
async fn dry_runs_take_nothing() {
    let services = services("10.7.0.0/30");
    let object = json!({ "metadata": { "name": "a" }, "spec": { "type": "NodePort", "ports": [{ "port": 80 }] } });
    for _ in 0..9 {
        let context = WriteContext {
            dry_run: true,
            ..WriteContext::default()
        };
        services.store.create(&context, "ns", object.clone()).await.unwrap();
    }
    let range = services
        .storage
        .get("/registry/ranges/servicenodeports", None)
        .await
        .unwrap();
    assert!(range.kv.is_none());
}

#[tokio::test]
async fn what_a_crash_leaves_behind_is_put_right() {
    let services = services("10.7.0.0/28");
    let now = Arc::new(std::sync::atomic::AtomicI64::new(1_000_000));
    let clock = now.clone();
    let ranges = ServiceRanges {
        networks: vec![IpNetwork::parse("10.7.0.0/28").unwrap()],
        node_ports: 30000..=30003,
    };
    let facts = facts::resources()
        .iter()
        .find(|facts| facts.plural == "ipaddresses")
        .unwrap();
    let addresses = built_in::open(
        facts,
        &StorageFactory::from(&services.storage),
        &ranges,
        Default::default(),
    )
    .unwrap();
    let mut repair = built_in::ServiceRepair {
        storage: services.storage.clone(),
        ranges,
        services: services.store.clone(),
        addresses: Arc::new(addresses),
        context: WriteContext {
            clock: crate::generic::clock::Clock::from_fn(move || {
                jiff::Timestamp::from_second(clock.load(std::sync::atomic::Ordering::Relaxed)).unwrap()
            }),
            ..WriteContext::default()
        },
        leaked: Default::default(),
    };
    let spec = |ip: &str, port: u16| json!({ "type": "NodePort", "clusterIP": ip, "ports": [{ "port": 80, "nodePort": port }] });
    services.create("well", spec("10.7.0.2", 30000)).await.unwrap();
    services.create("lost", spec("10.7.0.3", 30001)).await.unwrap();
    assert_eq!(repair.run_once().await.unwrap(), []);

    // As if the server had ended before it noted what the one service has, and before it stored another one.
    let remove = async |key: &str| {
        let kv = services.storage.get(key, None).await.unwrap().kv.unwrap();
        let expected = Expected::Revision(kv.mod_revision);
        services
            .storage
            .compare_and_swap(key, expected, Change::Delete)
            .await
            .unwrap();
        kv.value
    };
    remove("/registry/ipaddresses/10.7.0.3").await;
    remove("/registry/ranges/servicenodeports").await;
    services.create("never", spec("10.7.0.4", 30002)).await.unwrap();
    remove("/registry/services/specs/ns/never").await;

    let found = repair.run_once().await.unwrap();
    let found: Vec<(&str, &str, &str)> = found.iter().map(|it| (&*it.name, it.reason, &*it.note)).collect();
    assert_eq!(
        found,
        [
            (
                "lost",
                "ClusterIPNotAllocated",
                "Cluster IP [IPv4]: 10.7.0.3 is not allocated; repairing"
            ),
            ("well", "PortNotAllocated", "Port 30000 is not allocated; repairing"),
            ("lost", "PortNotAllocated", "Port 30001 is not allocated; repairing"),
        ]
    );
    assert!(services.is_taken("10.7.0.3").await);
    // Somebody may be about to store the service of this address.
    now.store(jiff::Timestamp::now().as_second(), std::sync::atomic::Ordering::Relaxed);
    assert_eq!(repair.run_once().await.unwrap(), []);
    assert!(services.is_taken("10.7.0.4").await);
    now.fetch_add(61, std::sync::atomic::Ordering::Relaxed);
    assert!(services.create("early", spec("10.7.0.5", 30002)).await.is_err());
    assert_eq!(repair.run_once().await.unwrap(), []);
    assert!(!services.is_taken("10.7.0.4").await);
    assert!(services.is_taken("10.7.0.2").await && services.is_taken("10.7.0.3").await);
    services.create("later", spec("10.7.0.4", 30002)).await.unwrap();

    // A server with another network complains, and takes no address away.
    repair.ranges.networks = vec![IpNetwork::parse("10.8.0.0/28").unwrap()];
    now.fetch_add(61, std::sync::atomic::Ordering::Relaxed);
    let found = repair.run_once().await.unwrap();
    let found: Vec<&str> = found.iter().map(|it| it.reason).collect();
    assert_eq!(found, ["ClusterIPOutOfRange"; 3]);
    for address in ["10.7.0.2", "10.7.0.3", "10.7.0.4"] {
        assert!(services.is_taken(address).await, "{address}");
    }
}
