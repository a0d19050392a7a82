//! Gives services their addresses and ports.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::addresses::{self, Unavailable};
use super::families::{self, fill_in, keep_allocated, missing_addresses, normalize};
use super::node_ports::{self, Ports};
use super::{has_address, has_health_check, has_node_ports, is_headless, named_node_ports, needs_node_ports};
use crate::generic::clock::Ids;
use crate::registry::built_in::strategy::Allocator;
use crate::registry::query::WriteContext;
use crate::registry::service_ranges::ServiceRanges;
use crate::registry::validation::values::{get, items, number, put, text, texts};
use crate::status::{ApiError, FieldError};
use crate::storage::Storage;

const HEALTH_CHECK: &str = "/spec/healthCheckNodePort";

/// Gives services their addresses and ports, each to one service only, whatever server does it.
pub(in crate::registry::built_in) struct ServiceAllocator {
    storage: Arc<dyn Storage>,
    ranges: ServiceRanges,
    /// All node ports are one value in storage: requests to this server change it one after the other, and have to try
    /// again only because of other servers.
    node_ports: Mutex<()>,
}

#[async_trait]
impl Allocator for ServiceAllocator {
    async fn allocate(&self, context: &WriteContext, service: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
        if let Some(old) = old {
            keep_allocated(service, old);
            keep_node_ports(service, old);
        }
        normalize(service, old);
        fill_in(service, old, &self.ranges).map_err(|errors| invalid(service, errors))?;
        let kept = old.filter(|old| has_address(old)).cloned();
        if !families::is_unchanged_preference(service, old) && !kept.as_ref().is_some_and(is_headless) {
            self.take_addresses(context, service, kept.as_ref()).await?;
        }
        if !has_node_ports(service) && !has_health_check(service) {
            return Ok(());
        }
        let before = service.clone();
        let range = &self.ranges.node_ports;
        let turn = self.node_ports.lock().await;
        let wanted = node_ports::update(&self.storage, range, context.dry_run, |ports| {
            let mut service = before.clone();
            take_ports(ports, &context.ids, &mut service, old)?;
            Ok(service)
        });
        let wanted = wanted.await;
        drop(turn);
        match wanted {
            Ok(with_ports) => {
                *service = with_ports;
                Ok(())
            }
            Err(error) => {
                if !context.dry_run {
                    self.release_addresses(service, old).await;
                }
                Err(error)
            }
        }
    }

    async fn release(&self, service: &Value, kept: Option<&Value>) {
        self.release_addresses(service, kept).await;
        let mut kept_ports = kept.map(ports_of).unwrap_or_default();
        if kept.is_some_and(has_health_check) {
            // It cannot change, so a request that tried did not get it.
            kept_ports.extend(number(service, HEALTH_CHECK));
        }
        let ports: Vec<i64> = ports_of(service)
            .into_iter()
            .filter(|port| !kept_ports.contains(port))
            .collect();
        if ports.is_empty() {
            return;
        }
        let range = &self.ranges.node_ports;
        let _turn = self.node_ports.lock().await;
        let released = node_ports::update(&self.storage, range, false, |taken| {
            ports.iter().for_each(|port| taken.release(*port));
            Ok(())
        });
        if let Err(error) = released.await {
            log(service, &error);
        }
    }
}

impl ServiceAllocator {
    pub(in crate::registry::built_in) fn new(storage: Arc<dyn Storage>, ranges: ServiceRanges) -> Self {
        Self {
            storage,
            ranges,
            node_ports: Mutex::default(),
        }
    }

    /// Takes the addresses that the service names and does not have, and any for those that it does not name.
    async fn take_addresses(
        &self,
        context: &WriteContext,
        service: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        if !has_address(service) || is_headless(service) {
            return Ok(());
        }
        let before = service.clone();
        let had = old.map(|old| texts(old, "/spec/clusterIPs")).unwrap_or_default();
        let wanted = texts(&before, "/spec/clusterIPs");
        let chosen = wanted
            .iter()
            .filter(|address| !address.is_empty() && !had.contains(address));
        let mut taken: Vec<String> = Vec::new();
        let mut failed = None;
        // An address that may not change is left to validation.
        let may_choose = had.len() < items(&before, "/spec/ipFamilies").len();
        for address in chosen.filter(|_| may_choose) {
            let Ok(ip) = address.parse() else { continue };
            match addresses::take(&self.storage, &self.ranges.networks, ip, &before, context).await {
                Ok(()) => taken.push((*address).to_owned()),
                Err(error) => {
                    failed = Some(error_of(&before, error, &format!(" {address}")));
                    break;
                }
            }
        }
        let mut all: Vec<String> = wanted.iter().map(|address| (*address).to_owned()).collect();
        for (index, family) in missing_addresses(&before) {
            let network = self.ranges.networks.iter().find(|network| network.family() == family);
            let (None, Some(network)) = (&failed, network) else {
                continue;
            };
            match addresses::take_any(&self.storage, network, &before, context).await {
                Ok(address) => {
                    taken.push(address.to_string());
                    all.resize(all.len().max(index + 1), String::new());
                    if let Some(place) = all.get_mut(index) {
                        *place = address.to_string();
                    }
                }
                Err(error) => failed = Some(error_of(&before, error, "")),
            }
        }
        if let Some(error) = failed {
            if !context.dry_run {
                self.give_back(&before, taken.iter().map(String::as_str)).await;
            }
            return Err(error);
        }
        if let Some(first) = all.first() {
            put(service, &["spec", "clusterIP"], json!(first));
            put(service, &["spec", "clusterIPs"], json!(all));
        }
        Ok(())
    }

    async fn release_addresses(&self, service: &Value, kept: Option<&Value>) {
        if !has_address(service) || is_headless(service) {
            return;
        }
        let kept = kept.map(|kept| texts(kept, "/spec/clusterIPs")).unwrap_or_default();
        let gone = texts(service, "/spec/clusterIPs");
        self.give_back(service, gone.into_iter().filter(|address| !kept.contains(address)))
            .await;
    }

    async fn give_back(&self, service: &Value, gone: impl Iterator<Item = &str> + Send) {
        for address in gone {
            if let Err(error) = addresses::release(&self.storage, address, service).await {
                log(service, &error);
            }
        }
    }
}

impl fmt::Debug for ServiceAllocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAllocator({:?})", self.ranges)
    }
}

/// Takes the ports that the service names, and any for those that it does not name but needs.
fn take_ports(ports: &mut Ports, ids: &Ids, service: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    let had = old.map(ports_of).unwrap_or_default();
    if has_node_ports(service) {
        // Ports of two protocols with one number share the port on the nodes.
        let mut by_port: BTreeMap<i64, i64> = BTreeMap::new();
        for index in 0..items(service, "/spec/ports").len() {
            let at = format!("/spec/ports/{index}");
            let port = number(service, &format!("{at}/port")).unwrap_or_default();
            let own = number(service, &format!("{at}/nodePort")).filter(|port| *port != 0);
            if own.is_none() && !needs_node_ports(service) {
                continue;
            }
            let shared = || by_port.get(&port).copied().or_else(|| named_port(service, port));
            let wanted = own.or_else(|| if old.is_none() { shared() } else { None });
            let wanted = match wanted {
                Some(wanted) => {
                    let again = match old {
                        None => by_port.get(&port) == Some(&wanted),
                        Some(_) => had.contains(&wanted) || by_port.values().any(|port| *port == wanted),
                    };
                    let taken = if again { Ok(()) } else { ports.take(wanted) };
                    taken.map_err(|detail| {
                        let field = format!("spec.ports[{index}].nodePort");
                        invalid(service, vec![FieldError::invalid(field, json!(wanted), detail)])
                    })?;
                    wanted
                }
                None => {
                    let full = || ApiError::internal("failed to allocate a nodePort: range is full");
                    i64::from(ports.take_any(ids).ok_or_else(full)?)
                }
            };
            by_port.insert(port, wanted);
            if let Some(place) = service.pointer_mut(&at) {
                put(place, &["nodePort"], json!(wanted));
            }
        }
    }
    if has_health_check(service) && !old.is_some_and(has_health_check) {
        match number(service, HEALTH_CHECK).filter(|port| *port != 0) {
            Some(port) => ports.take(port).map_err(|error| {
                ApiError::internal(format!(
                    "failed to allocate requested HealthCheck NodePort {port}: {error}"
                ))
            })?,
            None => {
                let full = || ApiError::internal("failed to allocate a HealthCheck NodePort 0: range is full");
                let port = ports.take_any(ids).ok_or_else(full)?;
                put(service, &["spec", "healthCheckNodePort"], json!(port));
            }
        }
    }
    Ok(())
}

/// The port on nodes that any entry with this number names.
fn named_port(service: &Value, port: i64) -> Option<i64> {
    let same = |entry: &&Value| number(entry, "/port") == Some(port);
    let named = items(service, "/spec/ports").iter().filter(same);
    named
        .filter_map(|entry| number(entry, "/nodePort"))
        .find(|port| *port != 0)
}

/// An update that leaves out ports on nodes keeps those that entries of the same name have.
fn keep_node_ports(service: &mut Value, old: &Value) {
    if needs_node_ports(old) && needs_node_ports(service) {
        let named = named_node_ports(service);
        for index in 0..items(service, "/spec/ports").len() {
            let at = format!("/spec/ports/{index}");
            let Some(entry) = service.pointer_mut(&at) else {
                continue;
            };
            if number(entry, "/nodePort").unwrap_or_default() != 0 {
                continue;
            }
            let same_name = |old: &&Value| text(old, "/name") == text(entry, "/name");
            let old_port = items(old, "/spec/ports").iter().rfind(same_name);
            let old_port = old_port.and_then(|old| number(old, "/nodePort"));
            if let Some(port) = old_port.filter(|port| *port != 0 && !named.contains(port)) {
                put(entry, &["nodePort"], json!(port));
            }
        }
    }
    if has_health_check(old) && has_health_check(service) && number(service, HEALTH_CHECK).unwrap_or_default() == 0 {
        put(
            service,
            &["spec", "healthCheckNodePort"],
            get(old, HEALTH_CHECK).clone(),
        );
    }
}

/// The ports on nodes that the service has, that for health checks included.
pub(super) fn ports_of(service: &Value) -> Vec<i64> {
    let mut ports = named_node_ports(service);
    if has_health_check(service) {
        ports.extend(number(service, HEALTH_CHECK).filter(|port| *port != 0));
    }
    ports
}

fn error_of(service: &Value, error: Unavailable, which: &str) -> ApiError {
    match error {
        Unavailable::Because(why) => {
            let addresses = get(service, "/spec/clusterIPs").clone();
            let detail = format!("failed to allocate IP{which}: {why}");
            invalid(service, vec![FieldError::invalid("spec.clusterIPs", addresses, detail)])
        }
        Unavailable::Full => {
            let name = text(service, "/metadata/name");
            ApiError::internal(format!(
                "failed to allocate a serviceIP for Service {name:?}: range is full"
            ))
        }
        Unavailable::Failed(error) => error,
    }
}

fn invalid(service: &Value, errors: Vec<FieldError>) -> ApiError {
    ApiError::invalid("", "Service", text(service, "/metadata/name"), errors)
}

fn log(service: &Value, error: &ApiError) {
    let name = text(service, "/metadata/name");
    let namespace = text(service, "/metadata/namespace");
    tracing::warn!(namespace, name, %error, "an address or port of the service could not be given back");
}
