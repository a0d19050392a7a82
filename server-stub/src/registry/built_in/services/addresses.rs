//! Cluster addresses: each is an `IPAddress` object (KEP-1880), and whoever creates that has it.

use std::net::IpAddr;
use std::sync::Arc;

use kubewire_client::Gvk;
use kubewire_client::wire::transcode;
use serde_json::{Value, json};

use crate::registry::query::WriteContext;
use crate::registry::resource_info::built_in_storage_prefix;
use crate::registry::service_ranges::{IpNetwork, family_of};
use crate::registry::store::seconds;
use crate::registry::validation::values::get;
use crate::status::ApiError;
use crate::storage::{Change, Expected, Storage, Swap};

/// The first addresses of a network are for those who choose them.
const CHOSEN_MAX: u64 = 256;

/// Why there is no address.
#[derive(Debug)]
pub(super) enum Unavailable {
    /// For this reason, to be told to the client.
    Because(String),
    /// All are taken.
    Full,
    /// Storage failed.
    Failed(ApiError),
}

/// Takes an address that the client chose.
pub(super) async fn take(
    storage: &Arc<dyn Storage>,
    networks: &[IpNetwork],
    address: IpAddr,
    service: &Value,
    context: &WriteContext,
) -> Result<(), Unavailable> {
    let network = networks.iter().find(|network| network.contains(&address));
    let Some(network) = network else {
        let same_family = networks.iter().find(|network| network.family() == family_of(&address));
        if let Some(network) = same_family.filter(|_| context.dry_run) {
            return Err(out_of_range(address, network));
        }
        return Err(Unavailable::Because(
            "the provided network does not match the current range".to_owned(),
        ));
    };
    if !network.is_usable(&address) {
        return Err(out_of_range(address, network));
    }
    match create(storage, address, service, context).await? {
        true => Ok(()),
        false => Err(Unavailable::Because("provided IP is already allocated".to_owned())),
    }
}

fn out_of_range(address: IpAddr, network: &IpNetwork) -> Unavailable {
    Unavailable::Because(format!(
        "the provided IP ({address}) is not in the valid range. The range of valid IPs is {network}"
    ))
}

/// Takes any free address of a network: one of the upper ones if possible, starting anywhere.
pub(super) async fn take_any(
    storage: &Arc<dyn Storage>,
    network: &IpNetwork,
    service: &Value,
    context: &WriteContext,
) -> Result<IpAddr, Unavailable> {
    let usable = network.usable();
    let chosen = (usable / 16).clamp(16, CHOSEN_MAX).min(usable);
    let any = usable - chosen;
    let start = (context.ids.fraction() * any as f64) as u64;
    let upper = (0..any).map(|n| chosen + (start + n) % any);
    for index in upper.chain(0..chosen) {
        let address = network.nth(1 + index);
        if create(storage, address, service, context).await? {
            return Ok(address);
        }
    }
    Err(Unavailable::Full)
}

/// Gives an address back, if it is this service's.
pub(super) async fn release(storage: &Arc<dyn Storage>, address: &str, service: &Value) -> Result<(), ApiError> {
    release_of(storage, address, &parent(service)).await
}

/// Gives an address back, if it still is that of the service to which this refers.
pub(super) async fn release_of(storage: &Arc<dyn Storage>, address: &str, parent: &Value) -> Result<(), ApiError> {
    let key = key(address);
    let Some(kv) = storage.get(&key, None).await.map_err(ApiError::internal)?.kv else {
        return Ok(());
    };
    let stored = transcode::decode_object(&kv.value).unwrap_or_default();
    if stored.pointer("/spec/parentRef") != Some(parent) {
        return Ok(());
    }
    let expected = Expected::Revision(kv.mod_revision);
    let swap = storage.compare_and_swap(&key, expected, Change::Delete).await;
    swap.map(drop).map_err(ApiError::internal)
}

/// Makes the object; `false` if there is one.
pub(super) async fn create(
    storage: &Arc<dyn Storage>,
    address: IpAddr,
    service: &Value,
    context: &WriteContext,
) -> Result<bool, Unavailable> {
    if context.dry_run {
        // Whether it is taken is not looked up.
        return Ok(true);
    }
    let failed = |error: &dyn std::fmt::Display| Unavailable::Failed(ApiError::internal(error));
    let key = key(&address.to_string());
    let gvk = Gvk::new("networking.k8s.io", "v1", "IPAddress");
    let object = json!({
        "apiVersion": gvk.api_version(),
        "kind": &*gvk.kind,
        "metadata": {
            "name": address.to_string(),
            "uid": context.ids.uid(),
            "creationTimestamp": seconds(context.clock.now()),
            "labels": {
                "ipaddress.kubernetes.io/ip-family": family_of(&address),
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
            "managedFields": [{
                "manager": "kube-apiserver",
                "operation": "Update",
                "apiVersion": gvk.api_version(),
                "time": seconds(context.clock.now()),
                "fieldsType": "FieldsV1",
                "fieldsV1": {
                    "f:metadata": { "f:labels": {
                        ".": {}, "f:ipaddress.kubernetes.io/ip-family": {}, "f:ipaddress.kubernetes.io/managed-by": {},
                    } },
                    "f:spec": { "f:parentRef": { ".": {}, "f:name": {}, "f:namespace": {}, "f:resource": {} } },
                },
            }],
        },
        "spec": { "parentRef": parent(service) },
    });
    let value = transcode::encode_object(&object).map_err(|error| failed(&error))?;
    let change = Change::Put { value, ttl: None };
    let swap = storage.compare_and_swap(&key, Expected::Absent, change).await;
    Ok(matches!(swap.map_err(|error| failed(&error))?, Swap::Done { .. }))
}

pub(super) fn parent(service: &Value) -> Value {
    json!({
        "resource": "services",
        "namespace": get(service, "/metadata/namespace"),
        "name": get(service, "/metadata/name"),
    })
}

fn key(address: &str) -> String {
    format!(
        "{}{address}",
        built_in_storage_prefix("networking.k8s.io", "ipaddresses")
    )
}
