//! Where the service `kubernetes` leads: to every server that has renewed its lease in storage of late.
//!
//! Each server writes `/registry/masterleases/<its address>`, a key that goes away by itself, and makes the endpoints
//! those for which there is a key.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort as Port, EndpointSubset, Endpoints};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use kubewire_client::wire::transcode;
use kubewire_client::{Clientset, Error, WriteOptions};
use serde_json::{Value, json};

use super::{NAME, NAMESPACE, metadata};
use crate::storage::{Change, Expected, RangeRequest, Storage, StorageError, Swap};

const LEASES: &str = "/registry/masterleases/";
/// How long a lease lasts that is not renewed.
const TTL: Duration = Duration::from_secs(15);
/// How often it is renewed.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

/// Keeps the endpoints as the leases say.
pub(super) struct LeaseEndpointReconciler {
    pub(super) storage: Arc<dyn Storage>,
    /// The server's own address.
    pub(super) address: SocketAddr,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ReconcileError {
    #[error("the leases of servers")]
    Leases(#[from] StorageError),
    #[error("write the lease of this server")]
    Encode(#[from] kubewire_client::wire::WireError),
    #[error("the endpoints of the service {NAMESPACE}/{NAME}")]
    Endpoints(#[from] Error),
}

impl LeaseEndpointReconciler {
    /// Renews the server's lease and makes the endpoints those of all servers.
    pub(super) async fn reconcile(&self, clientset: &Clientset) -> Result<(), ReconcileError> {
        self.renew().await?;
        self.publish(clientset).await
    }

    /// Takes the server out of the endpoints.
    pub(super) async fn stop(&self, clientset: &Clientset) -> Result<(), ReconcileError> {
        let key = self.key();
        if let Some(kv) = self.storage.get(&key, None).await?.kv {
            let expected = Expected::Revision(kv.mod_revision);
            // If somebody renewed it meanwhile, that server has our address.
            self.storage.compare_and_swap(&key, expected, Change::Delete).await?;
        }
        self.publish(clientset).await
    }

    fn key(&self) -> String {
        format!("{LEASES}{}", self.address.ip())
    }

    async fn renew(&self) -> Result<(), ReconcileError> {
        let key = self.key();
        let mut current = self.storage.get(&key, None).await?.kv;
        loop {
            let stored = current.as_ref().and_then(|kv| transcode::decode_object(&kv.value).ok());
            let generation = stored.and_then(|lease| lease.pointer("/metadata/generation")?.as_i64());
            let lease = json!({
                "apiVersion": "v1",
                "kind": "Endpoints",
                // Counted up so that every renewal is a change.
                "metadata": { "generation": generation.unwrap_or_default() + 1 },
                "subsets": [{ "addresses": [{ "ip": self.address.ip() }] }],
            });
            let change = Change::Put {
                value: transcode::encode_object(&lease)?,
                ttl: Some(TTL.as_secs()),
            };
            let expected = current.map_or(Expected::Absent, |kv| Expected::Revision(kv.mod_revision));
            match self.storage.compare_and_swap(&key, expected, change).await? {
                Swap::Done { .. } => return Ok(()),
                Swap::Conflict { current: newer, .. } => current = newer,
            }
        }
    }

    /// The addresses of all servers, in order.
    async fn servers(&self) -> Result<Vec<String>, StorageError> {
        let request = RangeRequest {
            prefix: LEASES,
            ..RangeRequest::default()
        };
        let leases = self.storage.range(&request).await?.kvs;
        let address = |value: &Value| Some(value.pointer("/subsets/0/addresses/0/ip")?.as_str()?.to_owned());
        let addresses: BTreeSet<String> = leases
            .iter()
            .filter_map(|kv| address(&transcode::decode_object(&kv.value).ok()?))
            .filter(|address| address.parse::<IpAddr>().is_ok())
            .collect();
        Ok(addresses.into_iter().collect())
    }

    async fn publish(&self, clientset: &Clientset) -> Result<(), ReconcileError> {
        let servers = self.servers().await?;
        if servers.is_empty() {
            // The last one to go leaves the endpoints as they are.
            return Ok(());
        }
        self.publish_endpoints(clientset, &servers).await?;
        self.publish_slice(clientset, servers).await?;
        Ok(())
    }

    async fn publish_endpoints(&self, clientset: &Clientset, servers: &[String]) -> Result<(), Error> {
        let (api, options) = (clientset.core_v1().endpoints(NAMESPACE), WriteOptions::default());
        let address = |ip: &String| EndpointAddress {
            ip: ip.clone(),
            ..EndpointAddress::default()
        };
        let subsets = Some(vec![EndpointSubset {
            addresses: Some(servers.iter().map(address).collect()),
            ports: Some(vec![Port {
                name: Some("https".to_owned()),
                port: self.address.port().into(),
                protocol: Some("TCP".to_owned()),
                ..Port::default()
            }]),
            ..EndpointSubset::default()
        }]);
        let labels = metadata(&[("endpointslice.kubernetes.io/skip-mirror", "true")]);
        let written = match api.get(NAME).await {
            Err(error) if error.is_not_found() => {
                let endpoints = Endpoints {
                    metadata: labels,
                    subsets,
                };
                api.create(&endpoints, &options).await
            }
            known => {
                let mut known = known?;
                if known.subsets == subsets {
                    return Ok(());
                }
                known.subsets = subsets;
                known
                    .metadata
                    .labels
                    .get_or_insert_default()
                    .extend(labels.labels.unwrap_or_default());
                api.update(&known, &options).await
            }
        };
        unless_somebody_else_did(written)
    }

    async fn publish_slice(&self, clientset: &Clientset, servers: Vec<String>) -> Result<(), Error> {
        let (api, options) = (
            clientset.discovery_v1().endpoint_slices(NAMESPACE),
            WriteOptions::default(),
        );
        let endpoint = |ip: String| Endpoint {
            addresses: vec![ip],
            conditions: Some(EndpointConditions {
                ready: Some(true),
                ..EndpointConditions::default()
            }),
            ..Endpoint::default()
        };
        let endpoints = Some(servers.into_iter().map(endpoint).collect());
        let ports = Some(vec![EndpointPort {
            name: Some("https".to_owned()),
            port: Some(self.address.port().into()),
            protocol: Some("TCP".to_owned()),
            ..EndpointPort::default()
        }]);
        let address_type = if self.address.is_ipv4() { "IPv4" } else { "IPv6" };
        let written = match api.get(NAME).await {
            Err(error) if error.is_not_found() => {
                let slice = EndpointSlice {
                    metadata: metadata(&[("kubernetes.io/service-name", NAME)]),
                    address_type: address_type.to_owned(),
                    endpoints,
                    ports,
                };
                api.create(&slice, &options).await
            }
            known => {
                let mut known = known?;
                if known.endpoints == endpoints && known.ports == ports {
                    return Ok(());
                }
                (known.endpoints, known.ports) = (endpoints, ports);
                api.update(&known, &options).await
            }
        };
        unless_somebody_else_did(written)
    }
}

/// Another server writes the same; the next time will do.
fn unless_somebody_else_did<K>(result: Result<K, Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_already_exists() || error.is_conflict() || error.is_not_found() => Ok(()),
        result => result.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::memory::MemoryStorage;
    use crate::testing::{Options, Server};

    #[tokio::test]
    async fn every_server_is_an_endpoint_while_it_runs() {
        let server = Server::start(Options::default()).await.unwrap();
        let clientset = &Clientset::new(&server.client_config()).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let reconciler = |address: &str| LeaseEndpointReconciler {
            storage: storage.clone(),
            address: address.parse().unwrap(),
        };
        let (one, other) = (reconciler("192.0.2.1:6443"), reconciler("192.0.2.2:6443"));
        let addresses = async || {
            let endpoints = clientset.core_v1().endpoints(NAMESPACE).get(NAME).await.unwrap();
            let slice = clientset
                .discovery_v1()
                .endpoint_slices(NAMESPACE)
                .get(NAME)
                .await
                .unwrap();
            let subset = endpoints.subsets.unwrap().remove(0);
            let of_endpoints: Vec<_> = subset
                .addresses
                .unwrap()
                .into_iter()
                .map(|address| address.ip)
                .collect();
            let of_slice: Vec<_> = slice
                .endpoints
                .unwrap()
                .into_iter()
                .flat_map(|endpoint| endpoint.addresses)
                .collect();
            assert_eq!(of_endpoints, of_slice);
            of_slice
        };
        one.reconcile(clientset).await.unwrap();
        assert_eq!(addresses().await, ["192.0.2.1"]);
        other.reconcile(clientset).await.unwrap();
        one.reconcile(clientset).await.unwrap();
        assert_eq!(addresses().await, ["192.0.2.1", "192.0.2.2"]);
        let lease = storage.get(&one.key(), None).await.unwrap().kv.unwrap();
        assert!(lease.value.starts_with(b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09Endpoints"));
        one.stop(clientset).await.unwrap();
        assert_eq!(addresses().await, ["192.0.2.2"]);
        other.stop(clientset).await.unwrap();
        assert_eq!(addresses().await, ["192.0.2.2"]);
        server.shutdown().await.unwrap();
    }
}
