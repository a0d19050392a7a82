//! The chain of servers: aggregator → kube-apiserver → apiextensions → 404.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::api_groups::ApiGroups;
use super::options::ControllerOptions;
use crate::admission::AdmissionPlugins;
use crate::authentication::service_account::install_discovery;
use crate::authentication::{BearerTokens, ServiceAccountTokens};
use crate::authorization::{Authorizer, RbacAuthorizer};
use crate::controllers::{ClusterAuthentication, KubeApiServerControllers, KubernetesService};
use crate::filters::max_in_flight_hook;
use crate::generic::certificates::KeyPair;
use crate::generic::clock::{Clock, Ids};
use crate::generic::delegation::DelegationTarget;
use crate::generic::dynamic_files::DynamicFiles;
use crate::generic::health::HealthCheck;
use crate::generic::lifecycle::LifecycleSignals;
use crate::generic::metrics::Metrics;
use crate::generic::server::GenericApiServer;
use crate::proxy::{self, Backends};
use crate::registry::capabilities::Capabilities;
use crate::registry::service_ranges::ServiceRanges;
use crate::registry::storage_factory::{RestOptionsGetter, StorageFactory};
use crate::storage::Storage;
use crate::{aggregator, apiextensions, controllers};

/// A key that the checks read; it is never there.
const HEALTH_KEY: &str = "/registry/health";

/// What the servers of the chain are built from.
pub struct ChainConfig {
    /// Where clients reach the server.
    pub external_address: SocketAddr,
    /// The address of the service `kubernetes`.
    pub service_ip: IpAddr,
    /// The addresses and ports of services.
    pub service_ranges: ServiceRanges,
    /// What pods may do.
    pub capabilities: Capabilities,
    /// Time.
    pub clock: Clock,
    /// Uids and generated names.
    pub ids: Ids,
    /// Says whose a token is, for reviews of tokens.
    pub tokens: Arc<BearerTokens>,
    /// Issues tokens of service accounts.
    pub service_account_tokens: Arc<ServiceAccountTokens>,
    /// Where the keys of their issuer are published, if not on this server.
    pub service_account_jwks_uri: Option<String>,
    /// Says who may do what, for reviews of access.
    pub authorizer: Arc<dyn Authorizer>,
    /// Follows roles and bindings once the server has started; `None` where no role counts.
    pub rbac: Option<Arc<RbacAuthorizer>>,
    /// What extension API servers are told about users.
    pub cluster_authentication: ClusterAuthentication,
    /// How nodes and what runs on them are reached.
    pub backends: Arc<Backends>,
    /// What extension API servers are shown.
    pub proxy_identity: Arc<DynamicFiles<KeyPair>>,
    /// Which controllers run.
    pub controllers: ControllerOptions,
    /// Where and how objects are kept.
    pub storage_factory: StorageFactory,
    /// How long the checks of health and of readiness wait for storage.
    pub storage_timeouts: (Duration, Duration),
    /// How long a watch that asked for no time goes on at least.
    pub min_request_timeout: Duration,
    /// What looks at objects before they are stored.
    pub(crate) admission: Arc<AdmissionPlugins>,
    /// Whether the metrics tell how many objects there are.
    pub count_objects: bool,
    /// What the server counts.
    pub metrics: Arc<Metrics>,
    /// The moments in the server's life.
    pub lifecycle: LifecycleSignals,
}

/// Builds the servers and returns the first of the chain. Must be called inside of a Tokio runtime.
pub fn create_server_chain(config: &ChainConfig) -> GenericApiServer {
    let address = &config.external_address.to_string();
    let mut groups = ApiGroups::new(config);
    let apiextensions = {
        let endpoints = groups.endpoints().clone();
        let own = groups.take(apiextensions::GROUP);
        let storage = config.storage_factory.clone();
        apiextensions::new(address, own, storage, endpoints, |server| add_generic(server, config))
    };
    let stores = groups.endpoints().stores.clone();
    config.service_account_tokens.look_up_in(stores.clone());
    let registration = groups.take(aggregator::GROUP);
    let mut kube_apiserver = GenericApiServer::new("kube-apiserver", address, Arc::new(apiextensions));
    for group in groups.rest() {
        kube_apiserver.install_api_group(group);
    }
    let (tokens, jwks_uri) = (
        &config.service_account_tokens,
        config.service_account_jwks_uri.as_deref(),
    );
    install_discovery(kube_apiserver.mux(), tokens, jwks_uri, address);
    let service = KubernetesService {
        cluster_ip: config.service_ip,
        address: config.external_address,
        storage: config.storage_factory.default_storage().clone(),
    };
    controllers::add_to(
        &mut kube_apiserver,
        KubeApiServerControllers {
            server_id: format!("apiserver-{}", config.ids.uid().to_string().replace('-', "")),
            stores: stores.clone(),
            service,
            service_ranges: config.service_ranges.clone(),
            allocations: config
                .storage_factory
                .rest_options("networking.k8s.io", "ipaddresses")
                .storage,
            authentication: config.cluster_authentication.clone(),
            bootstrap_roles: config.rbac.is_some(),
        },
    );
    if let Some(tunneler) = &config.backends.tunneler {
        kube_apiserver.add_post_start_hook(proxy::tunneler_hook(tunneler.clone()));
        kube_apiserver.add_health_check(proxy::tunnel_check(tunneler.clone()));
    }
    let kube_apiserver: Arc<dyn DelegationTarget> = Arc::new(kube_apiserver);
    let mut aggregator = aggregator::new(
        address,
        registration,
        config.proxy_identity.clone(),
        kube_apiserver.clone(),
        &config.metrics,
    );
    let count_objects = config.count_objects;
    config
        .metrics
        .add_source(move |shown| stores.show(shown, count_objects));
    let backends = config.backends.clone();
    config.metrics.add_source(move |shown| backends.show(shown));
    controllers::add_switchable(&mut aggregator, kube_apiserver, &config.controllers);
    aggregator
}

/// What any server has, in the order in which the checks show it.
fn add_generic(server: &mut GenericApiServer, config: &ChainConfig) {
    server.add_health_check(HealthCheck::ping());
    server.add_health_check(HealthCheck::log());
    let (health, ready) = config.storage_timeouts;
    server.add_health_check(storage_check("etcd", &config.storage_factory, health));
    server.add_readyz_check(storage_check("etcd-readiness", &config.storage_factory, ready));
    server.add_post_start_hook(config.admission.webhooks.clone().hook());
    server.add_post_start_hook(config.admission.rest_mapper.clone().hook());
    if let Some(rbac) = config.rbac.clone() {
        server.add_post_start_hook(rbac.hook());
    }
    server.add_post_start_hook(controllers::flow_control_consumer());
    server.add_post_start_hook(max_in_flight_hook(config.metrics.clone()));
}

/// Whether every store answers in time.
fn storage_check(name: &str, factory: &StorageFactory, timeout: Duration) -> HealthCheck {
    let stores: Vec<_> = factory.backends().cloned().collect();
    HealthCheck::from_async(name, move || {
        let stores = stores.clone();
        Box::pin(async move {
            let ask = |storage: Arc<dyn Storage>| async move { storage.get(HEALTH_KEY, None).await.map(drop) };
            let all = futures::future::try_join_all(stores.into_iter().map(ask));
            let error = match tokio::time::timeout(timeout, all).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "context deadline exceeded".to_owned(),
            };
            Err(format!("error getting data from etcd: {error}"))
        })
    })
}
