//! Puts right what a crash between two writes leaves behind: addresses and ports that no service has, and services whose
//! addresses and ports are not noted as theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::addresses::Unavailable;
use super::allocator::ports_of;
use super::{addresses, has_address, is_headless, node_ports};
use crate::registry::ListQuery;
use crate::registry::query::WriteContext;
use crate::registry::service_ranges::{ServiceRanges, family_of};
use crate::registry::store::Store;
use crate::registry::validation::values::{text, texts};
use crate::status::ApiError;
use crate::storage::Storage;

/// How old an address is at least that no service has: a service is stored after its addresses.
const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// How often a port is found without a service before it is given back.
const LEAKS: u32 = 3;

/// What looks after the addresses and ports of services.
pub(crate) struct ServiceRepair {
    /// Where addresses and ports are noted.
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) ranges: ServiceRanges,
    pub(crate) services: Arc<Store>,
    pub(crate) addresses: Arc<Store>,
    /// The source of time and ids.
    pub(crate) context: WriteContext,
    /// How often ports were found without a service, one look after the other.
    pub(crate) leaked: BTreeMap<i64, u32>,
}

/// Something about a service that was not right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// `ClusterIPAllocation` or `PortAllocation`.
    pub(crate) action: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) note: String,
}

impl ServiceRepair {
    /// Looks once, and puts right what can be. What is found is told about services only.
    ///
    /// # Errors
    /// Storage fails; the next look goes on.
    pub(crate) async fn run_once(&mut self) -> Result<Vec<Finding>, ApiError> {
        // Addresses first: one of a service that is stored meanwhile is not taken for nobody's.
        let noted = all(&self.addresses).await?;
        let services = all(&self.services).await?;
        let mut findings = self.repair_addresses(&noted, &services).await?;
        findings.extend(self.repair_ports(&services).await?);
        Ok(findings)
    }

    async fn repair_addresses(&self, noted: &[Arc<Value>], services: &[Arc<Value>]) -> Result<Vec<Finding>, ApiError> {
        let owners: BTreeMap<&str, &Value> = noted
            .iter()
            .map(|noted| (text(noted, "/metadata/name"), &noted["spec"]["parentRef"]))
            .collect();
        let mut owned = BTreeSet::new();
        let mut findings = Vec::new();
        for service in services
            .iter()
            .filter(|service| has_address(service) && !is_headless(service))
        {
            for address in texts(service, "/spec/clusterIPs") {
                let mut find = |reason, note| findings.push(finding(service, "ClusterIPAllocation", reason, note));
                let Ok(ip) = address.parse::<IpAddr>() else {
                    let note = format!("Cluster IP {address} is not a valid IP; please recreate service");
                    find("ClusterIPNotValid", note);
                    continue;
                };
                let owner = owners.get(address);
                let is_owner = owner.is_some_and(|owner| **owner == addresses::parent(service));
                if is_owner {
                    owned.insert(address);
                }
                let ip_text = format!("[{}]: {address}", family_of(&ip));
                if !self.ranges.networks.iter().any(|network| network.contains(&ip)) {
                    let note = format!(
                        "Cluster IP {ip_text} is not within any configured Service CIDR; please recreate service"
                    );
                    find("ClusterIPOutOfRange", note);
                    continue;
                }
                match owner {
                    None if owned.insert(address) => {
                        let noted = addresses::create(&self.storage, ip, service, &self.context).await;
                        if let Err(Unavailable::Failed(error)) = noted {
                            return Err(error);
                        }
                        let note = format!("Cluster IP {ip_text} is not allocated; repairing");
                        find("ClusterIPNotAllocated", note);
                    }
                    Some(_) if is_owner => {}
                    _ => {
                        let note =
                            format!("Cluster IP {ip_text} is assigned to another service; please recreate service");
                        find("ClusterIPAlreadyAllocated", note);
                    }
                }
            }
        }
        let oldest = self.context.clock.now() - GRACE;
        for noted in noted {
            let address = text(noted, "/metadata/name");
            let created = text(noted, "/metadata/creationTimestamp").parse::<Timestamp>();
            let is_ours = text(noted, "/metadata/labels/ipaddress.kubernetes.io~1managed-by") == "ipallocator.k8s.io";
            if is_ours && !owned.contains(address) && created.is_ok_and(|created| created < oldest) {
                tracing::warn!(address, "the address of a service that is not there is given back");
                let parent = &noted["spec"]["parentRef"];
                addresses::release_of(&self.storage, address, parent).await?;
            }
        }
        Ok(findings)
    }

    async fn repair_ports(&mut self, services: &[Arc<Value>]) -> Result<Vec<Finding>, ApiError> {
        let mut owners: BTreeMap<i64, &Value> = BTreeMap::new();
        let mut findings = Vec::new();
        for service in services {
            for port in ports_of(service) {
                let owner = *owners.entry(port).or_insert(service);
                if owner["metadata"]["uid"] != service["metadata"]["uid"] {
                    let note = format!("Port {port} was assigned to multiple services; please recreate service");
                    findings.push(finding(service, "PortAllocation", "PortAlreadyAllocated", note));
                }
            }
        }
        let known = std::mem::take(&mut self.leaked);
        let (mut missing, mut leaked) = (Vec::new(), BTreeMap::new());
        node_ports::update(&self.storage, &self.ranges.node_ports, false, |ports| {
            missing.clear();
            leaked = ports
                .taken()
                .filter(|port| !owners.contains_key(port))
                .map(|port| (port, known.get(&port).copied().unwrap_or_default() + 1))
                .collect();
            leaked
                .iter()
                .filter(|(_, times)| **times >= LEAKS)
                .for_each(|(port, _)| ports.release(*port));
            missing.extend(owners.keys().filter(|port| ports.take(**port).is_ok()));
            Ok(())
        })
        .await?;
        for (port, _) in leaked.iter().filter(|(_, times)| **times >= LEAKS) {
            tracing::warn!(port, "a port on nodes that no service has is given back");
        }
        self.leaked = leaked.into_iter().filter(|(_, times)| *times < LEAKS).collect();
        for (port, service) in owners {
            let (reason, note) = if missing.contains(&port) {
                ("PortNotAllocated", format!("Port {port} is not allocated; repairing"))
            } else if !self
                .ranges
                .node_ports
                .contains(&u16::try_from(port).unwrap_or_default())
            {
                let (first, last) = (self.ranges.node_ports.start(), self.ranges.node_ports.end());
                let note = format!("Port {port} is not within the port range {first}-{last}; please recreate service");
                ("PortOutOfRange", note)
            } else {
                continue;
            };
            findings.push(finding(service, "PortAllocation", reason, note));
        }
        Ok(findings)
    }
}

/// All objects as they are now.
async fn all(store: &Store) -> Result<Vec<Arc<Value>>, ApiError> {
    let items = store.list("", &ListQuery::default()).await?.items;
    Ok(items.iter().map(|object| object.document()).collect())
}

fn finding(service: &Value, action: &'static str, reason: &'static str, note: String) -> Finding {
    let metadata = |field: &str| text(&service["metadata"], field).to_owned();
    Finding {
        namespace: metadata("/namespace"),
        name: metadata("/name"),
        uid: metadata("/uid"),
        action,
        reason,
        note,
    }
}
