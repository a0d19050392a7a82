//! Which group and version is served where, and how important it is.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use parking_lot::{Mutex, RwLock};

use super::availability::is_available;
use super::remote_service::RemoteService;
use crate::generic::certificates::KeyPair;
use crate::generic::dynamic_files::DynamicFiles;
use crate::registry::facts;

/// What the aggregator knows of an APIService.
#[derive(Clone)]
pub(super) struct ApiServiceInfo {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) group_priority: i32,
    pub(super) version_priority: i32,
    /// The server elsewhere that has to answer, if it is not one of this chain.
    pub(super) remote: Option<Arc<RemoteService>>,
}

impl ApiServiceInfo {
    /// A version that a server of this chain serves. Groups that are not built in are custom resources.
    pub(super) fn local(group: &str, version: &str) -> Self {
        let group_facts = facts::groups().iter().find(|facts| facts.group == group);
        let version_facts = group_facts.and_then(|facts| facts.versions.iter().find(|v| v.version == version));
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            group_priority: group_facts.and_then(|facts| facts.priority).unwrap_or(1000),
            version_priority: version_facts.and_then(|facts| facts.priority).unwrap_or(100),
            remote: None,
        }
    }

    /// The name of the APIService: `v1.apps`, and `v1.` for the core group.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.version, self.group)
    }
}

/// All APIServices by name.
pub(super) struct ApiServices {
    by_name: RwLock<BTreeMap<String, ApiServiceInfo>>,
    /// What this server shows of itself to others.
    identity: Arc<DynamicFiles<KeyPair>>,
    /// What it was when somebody looked last.
    shown: Mutex<Arc<KeyPair>>,
}

impl ApiServices {
    pub(super) fn new(identity: Arc<DynamicFiles<KeyPair>>) -> Self {
        Self {
            by_name: RwLock::default(),
            shown: Mutex::new(identity.get()),
            identity,
        }
    }

    pub(super) fn insert(&self, service: ApiServiceInfo) {
        self.by_name.write().insert(service.name(), service);
    }

    /// Takes over what an object says. The connections to a server elsewhere stay while the spec is the same.
    pub(super) fn update(&self, object: &APIService) {
        let spec = object.spec.clone().unwrap_or_default();
        let mut services = self.by_name.write();
        let name = object.metadata.name.clone().unwrap_or_default();
        let known = services.get(&name).and_then(|service| service.remote.clone());
        let remote = spec.service.is_some().then(|| match known {
            Some(known) if known.spec == spec => known,
            _ => Arc::new(RemoteService::new(spec.clone(), &self.identity.get())),
        });
        if let Some(remote) = &remote {
            remote.set_available(is_available(object));
        }
        let service = ApiServiceInfo {
            group: spec.group.unwrap_or_default(),
            version: spec.version.unwrap_or_default(),
            group_priority: spec.group_priority_minimum,
            version_priority: spec.version_priority,
            remote,
        };
        services.insert(name, service);
    }

    /// Lets servers elsewhere see a certificate that has changed, by connections that are opened from now on.
    pub(super) fn follow_identity(&self) {
        let identity = self.identity.get();
        let mut shown = self.shown.lock();
        if Arc::ptr_eq(&shown, &identity) {
            return;
        }
        for service in self.by_name.write().values_mut() {
            if let Some(remote) = &mut service.remote {
                *remote = Arc::new(remote.with_identity(&identity));
            }
        }
        *shown = identity;
    }

    pub(super) fn remove(&self, name: &str) {
        self.by_name.write().remove(name);
    }

    /// The server elsewhere for a version of a group.
    pub(super) fn remote(&self, group: &str, version: &str) -> Option<Arc<RemoteService>> {
        self.remote_by_name(&format!("{version}.{group}"))
    }

    pub(super) fn all_remote(&self) -> Vec<Arc<RemoteService>> {
        let services = self.by_name.read();
        services.values().filter_map(|service| service.remote.clone()).collect()
    }

    pub(super) fn remote_by_name(&self, name: &str) -> Option<Arc<RemoteService>> {
        self.by_name.read().get(name)?.remote.clone()
    }

    /// The APIServices whose server is behind this service.
    pub(super) fn names_behind(&self, namespace: &str, name: &str) -> Vec<String> {
        let services = self.by_name.read();
        let behind = services.iter().filter(|(_, info)| {
            let service = info.remote.as_ref().map(|remote| remote.service());
            service.is_some_and(|(of_namespace, of_name, _)| (of_namespace, of_name) == (namespace, name))
        });
        behind.map(|(name, _)| name.clone()).collect()
    }

    /// The groups other than the core group with their versions, the most important first.
    pub(super) fn by_group(&self) -> Vec<(String, Vec<ApiServiceInfo>)> {
        let mut groups: BTreeMap<String, Vec<ApiServiceInfo>> = BTreeMap::new();
        for service in self.by_name.read().values().filter(|service| !service.group.is_empty()) {
            groups.entry(service.group.clone()).or_default().push(service.clone());
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        for (_, versions) in &mut groups {
            versions.sort_by_cached_key(|v| {
                (
                    Reverse(v.version_priority),
                    Reverse(version_rank(&v.version)),
                    v.version.clone(),
                )
            });
        }
        let priority = |versions: &[ApiServiceInfo]| versions.iter().map(|v| v.group_priority).max();
        groups.sort_by_key(|(_, versions)| Reverse(priority(versions)));
        groups
    }
}

/// Orders versions as Kubernetes does: `v10`, `v2`, `v1`, `v2beta1`, `v1beta2`, `v3alpha1`, then anything else.
pub(crate) fn version_rank(version: &str) -> Option<(u8, u32, u32)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, rest) = rest.split_at(digits);
    let major = major.parse().ok()?;
    match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
        _ if rest.is_empty() => Some((2, major, 0)),
        (Some(minor), _) => Some((1, major, minor.parse().ok()?)),
        (_, Some(minor)) => Some((0, major, minor.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::certificates::Authority;
    use crate::generic::clock::Clock;

    #[test]
    fn the_most_important_group_and_version_come_first() {
        let services = ApiServices::new(Arc::new(DynamicFiles::fixed(KeyPair {
            certificate_pem: String::new(),
            key_pem: String::new(),
        })));
        for (group, version) in [
            ("stable.example.com", "v1"),
            ("stable.example.com", "v1beta1"),
            ("stable.example.com", "v2"),
            ("autoscaling", "v1"),
            ("autoscaling", "v2"),
            ("", "v1"),
        ] {
            services.insert(ApiServiceInfo::local(group, version));
        }
        let order: Vec<String> = services
            .by_group()
            .into_iter()
            .flat_map(|(_, v)| v)
            .map(|v| v.name())
            .collect();
        let expected = [
            "v2.autoscaling",
            "v1.autoscaling",
            "v2.stable.example.com",
            "v1.stable.example.com",
            "v1beta1.stable.example.com",
        ];
        assert_eq!(order, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_to_others_follow_the_files_of_the_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let authority = Authority::new("authority", &Clock::system()).unwrap();
            let pair = authority.client(name, None).unwrap();
            std::fs::write(folder.path().join("proxy.crt"), pair.certificate_pem).unwrap();
            std::fs::write(folder.path().join("proxy.key"), pair.key_pem).unwrap();
        };
        write("first");
        let files = ["proxy.crt", "proxy.key"].map(|name| folder.path().join(name)).to_vec();
        let identity = DynamicFiles::new(files, |contents| {
            let text = |index: usize| String::from_utf8(contents[index].clone());
            Ok(KeyPair {
                certificate_pem: text(0)?,
                key_pem: text(1)?,
            })
        });
        let services = ApiServices::new(Arc::new(identity.unwrap()));
        let object: APIService = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "v1.example.com" },
            "spec": {
                "group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
                "insecureSkipTLSVerify": true, "service": { "namespace": "a", "name": "b" },
            },
            "status": { "conditions": [{ "type": "Available", "status": "True" }] },
        }))
        .unwrap();
        services.update(&object);
        let remote = || services.remote("example.com", "v1").unwrap();
        let first = remote();
        services.follow_identity();
        assert!(Arc::ptr_eq(&first, &remote()));
        write("a longer name of the second one");
        tokio::time::advance(std::time::Duration::from_secs(2)).await;
        services.follow_identity();
        let second = remote();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(second.is_available() && second.spec == first.spec && second.transport().is_ok());
        services.follow_identity();
        assert!(Arc::ptr_eq(&second, &remote()));
    }

    #[test]
    fn versions_are_ranked_by_stability() {
        let mut versions = ["foo", "v1alpha1", "v2", "v1beta2", "v10", "v2beta1", "v1beta10"];
        versions.sort_by_key(|version| Reverse(version_rank(version)));
        assert_eq!(
            versions,
            ["v10", "v2", "v2beta1", "v1beta10", "v1beta2", "v1alpha1", "foo"]
        );
    }
}
