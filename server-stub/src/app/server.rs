//! From options to a running server: prepare, then run.

use std::iter;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use kubewire_client::Clientset;
use kubewire_client::config::{Config as ClientConfig, PemSource};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::chain::{ChainConfig, create_server_chain};
use super::error::AppError;
use super::options::{Options, ServingCertificate};
use crate::audit::AuditLog;
use crate::authentication::Connection;
use crate::controllers::ClusterAuthentication;
use crate::generic::certificates::KeyPair;
use crate::generic::clock::{Clock, Ids};
use crate::generic::lifecycle::LifecycleSignals;
use crate::generic::metrics::Metrics;
use crate::generic::serving::Serving;
use crate::generic::{Config, InProcess, PreparedGenericApiServer};
use crate::registry::storage_factory::StorageFactory;

/// A server whose port is open; it answers once [`run`](Self::run) runs.
pub struct Server {
    prepared: PreparedGenericApiServer,
    serving: Serving,
    insecure: Option<Serving>,
    audit_log: Option<Arc<AuditLog>>,
    address: SocketAddr,
    url: String,
    ca_pem: String,
    admin: KeyPair,
    lifecycle: LifecycleSignals,
    storage_factory: StorageFactory,
}

impl Server {
    /// Makes certificates, opens the port, builds the chain, writes the kubeconfig file.
    pub async fn prepare(options: &Options, clock: Clock, ids: Ids) -> Result<Self, AppError> {
        let options = &options.clone().complete();
        options.validate()?;
        for flag in options.accepted.given() {
            tracing::warn!("--{flag} is accepted for compatibility and makes no difference");
        }
        let metrics = Arc::new(Metrics::default());
        let storage_factory = options.storage.storage_factory(&clock).await?;
        let storage_factory = storage_factory.with_metrics(metrics.clone());
        let serving = &options.secure_serving;
        let external_ip = options.server_run.advertise_address.unwrap_or(serving.bind_address);
        let service_ip = options.services.kubernetes_service_ip();
        let authority = serving.authority(&clock)?;
        let addresses = [service_ip, serving.bind_address, external_ip];
        let ServingCertificate { certificates, ca_pem } = serving.certificates(&authority, &addresses)?;
        let admin = authority.client("kubernetes-admin", Some("system:masters"))?;
        let serving = Serving::bind(serving.address(), certificates, &serving.tls_settings()).await?;
        let insecure = options.insecure_serving.bind().await?;
        let address = serving.local_addr().map_err(AppError::LocalAddress)?;
        let external_address = SocketAddr::new(external_ip, address.port());
        let mut config = Config {
            clock,
            ids,
            metrics: metrics.clone(),
            ..Config::default()
        };
        let rbac = options.authorization.apply_to(&mut config);
        options.server_run.apply_to(&mut config);
        options.features.apply_to(&mut config);
        config.log_level.clone_from(&options.global.log_level);
        let flags = Options::clone(options).flags().values().collect::<Vec<_>>();
        config.flags = flags
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        config.flags.sort_unstable();
        options.audit.apply_to(&mut config)?;
        let request_header = Arc::new(options.request_header.config(&authority)?);
        let service_account_tokens = options
            .authentication
            .service_accounts
            .tokens(&options.secure_serving, &config)?;
        let tokens = Arc::new(options.authentication.bearer_tokens(service_account_tokens.clone())?);
        options
            .authentication
            .apply_to(&mut config, &authority, &request_header, tokens.clone())?;
        let lifecycle = LifecycleSignals::default();
        let audit_log = config.audit_log.clone();
        let chain = create_server_chain(&ChainConfig {
            external_address,
            service_ip,
            service_ranges: options.services.service_ranges(),
            capabilities: options.pods.capabilities(),
            min_request_timeout: options.server_run.min_request_timeout(),
            clock: config.clock.clone(),
            ids: config.ids.clone(),
            tokens,
            service_account_tokens,
            service_account_jwks_uri: options.authentication.service_accounts.jwks_uri(),
            authorizer: config.authorizer.clone(),
            rbac: rbac.clone(),
            controllers: options.controllers.clone(),
            cluster_authentication: ClusterAuthentication {
                client_ca_pem: options.authentication.client_ca_pem(&authority)?,
                request_header,
            },
            backends: Arc::new(options.kubelet.backends(&options.ssh)?),
            proxy_identity: Arc::new(options.request_header.identity(&authority)?),
            storage_factory: storage_factory.clone(),
            storage_timeouts: options.storage.etcd.check_timeouts(),
            admission: Arc::new(options.admission.plugins(config.authorizer.clone(), rbac.clone())),
            count_objects: !options.storage.etcd.etcd_count_metric_poll_period.is_zero(),
            metrics,
            lifecycle: lifecycle.clone(),
        });
        let server = Self {
            prepared: chain.prepare_run(config, lifecycle.clone())?,
            serving,
            insecure,
            audit_log,
            address,
            url: format!("https://{external_address}"),
            ca_pem,
            admin,
            lifecycle,
            storage_factory,
        };
        options.kubeconfig.write(&server.kubeconfig())?;
        Ok(server)
    }

    /// Serves until `lifecycle().shutdown_initiated` and stops cleanly.
    pub async fn run(self) -> Result<(), AppError> {
        let result = self.prepared.run(iter::once(self.serving).chain(self.insecure)).await;
        if let Some(log) = self.audit_log {
            log.close();
        }
        for storage in self.storage_factory.backends() {
            storage.close().await;
        }
        tracing::info!("the server has stopped");
        Ok(result?)
    }

    /// The moments in the server's life; cancel `shutdown_initiated` to stop it.
    pub fn lifecycle(&self) -> &LifecycleSignals {
        &self.lifecycle
    }

    /// The server's client of itself, which needs no network.
    pub fn loopback(&self) -> &Clientset {
        self.prepared.loopback()
    }

    /// The server without a network, for an administrator.
    ///
    /// # Errors
    /// The administrator's certificate cannot be read.
    pub fn in_process(&self) -> Result<InProcess, AppError> {
        let certificate = CertificateDer::from_pem_slice(self.admin.certificate_pem.as_bytes());
        let certificate = certificate.map_err(AppError::AdminCertificate)?;
        let connection = Connection::new((Ipv4Addr::LOCALHOST, 0).into(), vec![certificate]);
        Ok(self.prepared.in_process().with_connection(connection))
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that is listened on without TLS, if there is one.
    pub fn insecure_address(&self) -> Option<SocketAddr> {
        self.insecure.as_ref()?.local_addr().ok()
    }

    /// Where clients find the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What clients have to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A kubeconfig file for an administrator.
    pub fn kubeconfig(&self) -> String {
        super::options::kubeconfig_text(&self.url, &self.ca_pem, &self.admin)
    }

    /// A client's configuration for an administrator.
    pub fn client_config(&self) -> ClientConfig {
        let inline = |pem: &str| PemSource::Inline(pem.to_owned().into());
        ClientConfig::new(&self.url)
            .with_ca_pem(self.ca_pem.clone())
            .with_client_certificate(inline(&self.admin.certificate_pem), inline(&self.admin.key_pem))
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kubewire_client::api::EncodedWatch;
    use kubewire_client::wire::{EncodedEvent, ObjectHeader};
    use kubewire_client::{Api, Client, ListOptions, WriteOptions};

    use super::*;
    use crate::storage::{Change, Expected, Swap};

    async fn prepare() -> Server {
        let mut options = Options::default();
        options.secure_serving.any_free_port = true;
        Server::prepare(&options, Clock::default(), Ids::default())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_stopped_server_keeps_nothing() {
        let server = prepare().await;
        let storage = Arc::downgrade(server.storage_factory.default_storage());
        let lifecycle = server.lifecycle().clone();
        let running = tokio::spawn(server.run());
        lifecycle.has_been_ready.cancelled().await;
        assert!(storage.strong_count() > 0);
        lifecycle.shutdown_initiated.cancel();
        running.await.unwrap().unwrap();
        // Tasks that were told to end need a turn to do so.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(storage.strong_count(), 0);
    }

    /// The version of the next object; `None` at the end.
    async fn next(watch: &mut EncodedWatch) -> Option<u64> {
        let EncodedEvent::Modified(object) = watch.next().await?.unwrap() else {
            panic!("the object is only changed");
        };
        let version = ObjectHeader::parse(&object).unwrap().resource_version;
        Some(version.to_string().parse().unwrap())
    }

    /// A client that does not read, on a connection of its own.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_slow_watch_is_cut_and_holds_nobody_back() {
        let server = prepare().await;
        let storage = server.storage_factory.default_storage().clone();
        let (config, lifecycle) = (server.client_config(), server.lifecycle().clone());
        let running = tokio::spawn(server.run());
        lifecycle.has_been_ready.cancelled().await;
        let api = || Api::<ConfigMap>::namespaced(Client::new(&config).unwrap(), "default");
        let mut map = ConfigMap::default();
        map.metadata.name = Some("a".to_owned());
        map.data = Some([("text".to_owned(), "x".repeat(4000))].into());
        let created = api().create(&map, &WriteOptions::default()).await.unwrap();
        let version = created.metadata.resource_version.unwrap();
        let options = ListOptions::default().with_resource_version(version.into());
        let mut slow = api().watch_encoded(&options).await.unwrap();
        let mut fast = api().watch_encoded(&options).await.unwrap();

        let key = "/registry/configmaps/default/a";
        let stored = storage.get(key, None).await.unwrap().kv.unwrap();
        let (value, mut revision) = (stored.value, stored.mod_revision);
        let mut written = Vec::new();
        for _ in 0..14 {
            for _ in 0..1000 {
                let change = Change::Put {
                    value: value.clone(),
                    ttl: None,
                };
                let expected = Expected::Revision(revision);
                let Swap::Done { revision: next } = storage.compare_and_swap(key, expected, change).await.unwrap()
                else {
                    panic!("nobody else writes");
                };
                revision = next;
                written.push(revision);
            }
            for expected in &written[written.len() - 1000..] {
                assert_eq!(next(&mut fast).await, Some(*expected));
            }
        }
        let mut seen = Vec::new();
        while let Some(version) = next(&mut slow).await {
            seen.push(version);
        }
        assert!(
            seen.len() < 4000,
            "{} events were kept for who did not read",
            seen.len()
        );
        assert_eq!(seen, written[..seen.len()]);
        lifecycle.shutdown_initiated.cancel();
        running.await.unwrap().unwrap();
    }
}
