//! The chain of servers: aggregator → kube-apiserver → apiextensions → 404.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::api_groups::ApiGroups;
use super::options::ControllerOptions;
use crate::admission::AdmissionPlugins;
use crate::authentication::service_account::install_discovery;
use crate::authentication::{BearerTokens, ServiceAccountTokens};
use crate::authorization::{Authorizer, RbacAuthorizer, bootstrap_hook};
use crate::controllers::{ClusterAuthentication, KubernetesService};
use crate::generic::certificates::KeyPair;
use crate::generic::clock::{Clock, Ids};
use crate::generic::delegation::DelegationTarget;
use crate::generic::health::HealthCheck;
use crate::generic::lifecycle::LifecycleSignals;
use crate::generic::server::GenericApiServer;
use crate::proxy::Backends;
use crate::registry::service_ranges::ServiceRanges;
use crate::registry::storage_factory::StorageFactory;
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
    pub proxy_identity: KeyPair,
    /// Which controllers run.
    pub controllers: ControllerOptions,
    /// Where and how objects are kept.
    pub storage_factory: StorageFactory,
    /// How long the checks of health and of readiness wait for storage.
    pub storage_timeouts: (Duration, Duration),
    /// What looks at objects before they are stored.
    pub(crate) admission: Arc<AdmissionPlugins>,
    /// Whether the metrics tell how many objects there are.
    pub count_objects: bool,
    /// The moments in the server's life.
    pub lifecycle: LifecycleSignals,
}

/// Builds the servers and returns the first of the chain. Must be called inside of a Tokio runtime.
pub fn create_server_chain(config: &ChainConfig) -> GenericApiServer {
    let address = &config.external_address.to_string();
    let mut groups = ApiGroups::new(config);
    let mut apiextensions = {
        let endpoints = groups.endpoints().clone();
        let own = groups.take(apiextensions::GROUP);
        apiextensions::new(address, own, config.storage_factory.clone(), endpoints)
    };
    apiextensions.add_health_check(HealthCheck::ping());
    apiextensions.add_health_check(HealthCheck::log());
    let (health, ready) = config.storage_timeouts;
    apiextensions.add_health_check(storage_check("etcd", &config.storage_factory, health));
    apiextensions.add_readyz_check(storage_check("etcd-readiness", &config.storage_factory, ready));
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
    kube_apiserver.add_post_start_hook(config.admission.webhooks.clone().hook());
    if let Some(rbac) = config.rbac.clone() {
        kube_apiserver.add_post_start_hook(rbac.hook());
        kube_apiserver.add_post_start_hook(bootstrap_hook());
    }
    let kube_apiserver: Arc<dyn DelegationTarget> = Arc::new(kube_apiserver);
    let mut aggregator = aggregator::new(
        address,
        registration,
        config.proxy_identity.clone(),
        kube_apiserver.clone(),
    );
    if config.count_objects {
        aggregator.show_object_counts(Arc::new(move || stores.object_counts()));
    }
    let service = KubernetesService {
        cluster_ip: config.service_ip,
        address: config.external_address,
        storage: config.storage_factory.default_storage().clone(),
    };
    let server_id = format!("apiserver-{}", config.ids.uid().to_string().replace('-', ""));
    controllers::add_to(
        &mut aggregator,
        server_id,
        kube_apiserver,
        service,
        config.cluster_authentication.clone(),
        &config.controllers,
    );
    aggregator
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
