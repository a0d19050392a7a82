//! How etcd is used.

use std::path::PathBuf;
#[cfg(feature = "etcd3")]
use std::sync::Arc;
use std::time::Duration;

use crate::app::flags::FlagSet;
#[cfg(feature = "etcd3")]
use crate::registry::storage_factory::StorageFactory;
#[cfg(feature = "etcd3")]
use crate::storage::{
    Storage, StorageError,
    etcd3::{Etcd3Options, Etcd3Storage},
};

const BAD_OVERRIDE: &str = "--etcd-servers-overrides invalid, must be of format: group/resource#servers, where servers are URLs, semicolon separated";

/// Where etcd is and how it is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EtcdOptions {
    /// URLs of etcd. With them, the backend is etcd unless another one is named.
    pub etcd_servers: Vec<String>,
    /// Servers for single resources: `group/resource#url;url`.
    pub etcd_servers_overrides: Vec<String>,
    /// What all keys start with. Default `/registry`.
    pub etcd_prefix: String,
    /// The authority that signed etcd's certificate. Default: the system's.
    pub etcd_cafile: Option<PathBuf>,
    /// The client's certificate.
    pub etcd_certfile: Option<PathBuf>,
    /// Its key.
    pub etcd_keyfile: Option<PathBuf>,
    /// How often old revisions are forgotten; zero for never. Default 5 min.
    pub etcd_compaction_interval: Duration,
    /// How long the health check waits. Default 2 s.
    pub etcd_healthcheck_timeout: Duration,
    /// How long the readiness check waits. Default 2 s.
    pub etcd_readycheck_timeout: Duration,
    /// Zero if objects are not to be counted for the metrics; else they are when somebody asks. Default 1 min.
    pub etcd_count_metric_poll_period: Duration,
    /// How long a lease is used for further keys, in seconds. Default 60.
    pub lease_reuse_duration_seconds: i64,
}

impl Default for EtcdOptions {
    fn default() -> Self {
        Self {
            etcd_servers: Vec::new(),
            etcd_servers_overrides: Vec::new(),
            etcd_prefix: "/registry".to_owned(),
            etcd_cafile: None,
            etcd_certfile: None,
            etcd_keyfile: None,
            etcd_compaction_interval: Duration::from_secs(5 * 60),
            etcd_healthcheck_timeout: Duration::from_secs(2),
            etcd_readycheck_timeout: Duration::from_secs(2),
            etcd_count_metric_poll_period: Duration::from_secs(60),
            lease_reuse_duration_seconds: 60,
        }
    }
}

impl EtcdOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "etcd-servers",
            &mut self.etcd_servers,
            "URLs of etcd, with commas between them. With them, objects are kept in etcd unless --storage-backend says \
             otherwise.",
        );
        flags.add(
            "etcd-servers-overrides",
            &mut self.etcd_servers_overrides,
            "Other servers for single resources: group/resource#servers, with semicolons between servers.",
        );
        flags.add(
            "etcd-prefix",
            &mut self.etcd_prefix,
            "What all keys in etcd start with.",
        );
        flags.add(
            "etcd-cafile",
            &mut self.etcd_cafile,
            "The authority that signed the certificates of etcd.",
        );
        flags.add(
            "etcd-certfile",
            &mut self.etcd_certfile,
            "The certificate shown to etcd.",
        );
        flags.add(
            "etcd-keyfile",
            &mut self.etcd_keyfile,
            "The key of the certificate shown to etcd.",
        );
        flags.add(
            "etcd-compaction-interval",
            &mut self.etcd_compaction_interval,
            "How often storage is told to forget old revisions. With 0, this server never does it.",
        );
        flags.add(
            "etcd-healthcheck-timeout",
            &mut self.etcd_healthcheck_timeout,
            "How long the health check of etcd waits.",
        );
        flags.add(
            "etcd-readycheck-timeout",
            &mut self.etcd_readycheck_timeout,
            "How long the readiness check of etcd waits.",
        );
        flags.add(
            "etcd-count-metric-poll-period",
            &mut self.etcd_count_metric_poll_period,
            "With 0, objects are not counted for the metrics; else they are whenever somebody asks.",
        );
        flags.add(
            "lease-reuse-duration-seconds",
            &mut self.lease_reuse_duration_seconds,
            "For how many seconds a lease of etcd is used for further objects that go away by themselves.",
        );
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        let wrong = |given: &&String| parse_override(given).is_none();
        let wrong = self.etcd_servers_overrides.iter().filter(wrong);
        errors.extend(wrong.map(|_| BAD_OVERRIDE.to_owned()));
        if self.etcd_certfile.is_some() != self.etcd_keyfile.is_some() {
            errors.push("--etcd-certfile and --etcd-keyfile must be given together".to_owned());
        }
    }

    /// How long the checks of health and of readiness wait.
    pub(crate) fn check_timeouts(&self) -> (Duration, Duration) {
        (self.etcd_healthcheck_timeout, self.etcd_readycheck_timeout)
    }

    /// The resources that have servers of their own are stored there.
    #[cfg(feature = "etcd3")]
    pub(super) async fn with_overrides(&self, mut factory: StorageFactory) -> Result<StorageFactory, StorageError> {
        for given in &self.etcd_servers_overrides {
            if let Some(ServersOverride {
                group,
                resource,
                servers,
            }) = parse_override(given)
            {
                let storage = self.connect(&servers).await?;
                factory = factory.with_override(group, resource, storage);
            }
        }
        Ok(factory)
    }

    /// The store on these servers.
    #[cfg(feature = "etcd3")]
    pub(super) async fn connect(&self, servers: &[String]) -> Result<Arc<dyn Storage>, StorageError> {
        let mut options = Etcd3Options::default();
        options.endpoints.servers = servers.to_vec();
        options.endpoints.ca_file = self.etcd_cafile.clone();
        options.endpoints.cert_file = self.etcd_certfile.clone();
        options.endpoints.key_file = self.etcd_keyfile.clone();
        options.prefix = format!("/{}", self.etcd_prefix.trim_matches('/'));
        options.compaction_interval = self.etcd_compaction_interval;
        options.lease_reuse = Duration::from_secs(self.lease_reuse_duration_seconds.unsigned_abs());
        Ok(Arc::new(Etcd3Storage::connect(&options).await?))
    }
}

/// Other servers for a resource.
#[cfg_attr(not(feature = "etcd3"), allow(dead_code))]
struct ServersOverride<'a> {
    group: &'a str,
    resource: &'a str,
    servers: Vec<String>,
}

fn parse_override(text: &str) -> Option<ServersOverride<'_>> {
    let (resource, servers) = text.split_once('#').filter(|(_, servers)| !servers.contains('#'))?;
    let (group, resource) = resource.split_once('/').filter(|(_, name)| !name.contains('/'))?;
    let servers = servers.split(';').map(str::to_owned).collect();
    Some(ServersOverride {
        group,
        resource,
        servers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_name_a_resource_and_servers() {
        let parsed = parse_override("/events#http://a:1;http://b:2").unwrap();
        assert_eq!((parsed.group, parsed.resource), ("", "events"));
        assert_eq!(parsed.servers, ["http://a:1", "http://b:2"]);
        for wrong in ["", "events#http://a", "/events", "a/b/c#http://a", "/events#a#b"] {
            let options = EtcdOptions {
                etcd_servers_overrides: vec![wrong.to_owned()],
                ..EtcdOptions::default()
            };
            let mut errors = Vec::new();
            options.validate(&mut errors);
            assert_eq!(errors, [BAD_OVERRIDE], "{wrong}");
        }
    }
}
