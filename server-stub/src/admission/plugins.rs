//! Which admission plugins there are, and which are on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rest_mapper::DiscoveryRestMapper;
use super::webhooks::Webhooks;
use crate::authorization::escalation::EscalationCheck;
use crate::authorization::{AlwaysAllow, Authorizer, RbacAuthorizer};

/// The plugins that this server has. They run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plugin {
    NamespaceLifecycle,
    LimitRanger,
    ServiceAccount,
    TaintNodesByCondition,
    Priority,
    DefaultTolerationSeconds,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    RuntimeClass,
    DefaultIngressClass,
    MutatingAdmissionWebhook,
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    OwnerReferencesPermissionEnforcement,
    PersistentVolumeClaimResize,
    PodSecurity,
    ValidatingAdmissionWebhook,
    ResourceQuota,
}

use Plugin::{
    CertificateApproval, CertificateSigning, CertificateSubjectRestriction, DefaultIngressClass, DefaultStorageClass,
    DefaultTolerationSeconds, LimitRanger, MutatingAdmissionWebhook, NamespaceLifecycle,
    OwnerReferencesPermissionEnforcement, PersistentVolumeClaimResize, PodSecurity, Priority, ResourceQuota,
    RuntimeClass, ServiceAccount, StorageObjectInUseProtection, TaintNodesByCondition, ValidatingAdmissionWebhook,
};

/// Those that are off unless they are switched on.
const OFF_BY_DEFAULT: [Plugin; 2] = [OwnerReferencesPermissionEnforcement, ServiceAccount];

/// All plugins of kube-apiserver. Most of this server are on unless they are switched off, as there.
const PLUGINS: &[(&str, Option<Plugin>)] = &[
    ("AlwaysAdmit", None),
    ("AlwaysDeny", None),
    ("AlwaysPullImages", None),
    ("CertificateApproval", Some(CertificateApproval)),
    ("CertificateSigning", Some(CertificateSigning)),
    ("CertificateSubjectRestriction", Some(CertificateSubjectRestriction)),
    ("ClusterTrustBundleAttest", None),
    ("DefaultIngressClass", Some(DefaultIngressClass)),
    ("DefaultStorageClass", Some(DefaultStorageClass)),
    ("DefaultTolerationSeconds", Some(DefaultTolerationSeconds)),
    ("DenyServiceExternalIPs", None),
    ("EventRateLimit", None),
    ("ExtendedResourceToleration", None),
    ("ImagePolicyWebhook", None),
    ("LimitPodHardAntiAffinityTopology", None),
    ("LimitRanger", Some(LimitRanger)),
    ("MutatingAdmissionPolicy", None),
    ("MutatingAdmissionWebhook", Some(MutatingAdmissionWebhook)),
    ("NamespaceAutoProvision", None),
    ("NamespaceExists", None),
    ("NamespaceLifecycle", Some(NamespaceLifecycle)),
    ("NodeDeclaredFeatureValidator", None),
    ("NodeRestriction", None),
    (
        "OwnerReferencesPermissionEnforcement",
        Some(OwnerReferencesPermissionEnforcement),
    ),
    ("PersistentVolumeClaimResize", Some(PersistentVolumeClaimResize)),
    ("PodGroupProtection", None),
    ("PodNodeSelector", None),
    ("PodResizeValidator", None),
    ("PodSecurity", Some(PodSecurity)),
    ("PodTolerationRestriction", None),
    ("PodTopologyLabels", None),
    ("Priority", Some(Priority)),
    ("ResourceQuota", Some(ResourceQuota)),
    ("RuntimeClass", Some(RuntimeClass)),
    ("ServiceAccount", Some(ServiceAccount)),
    ("StorageObjectInUseProtection", Some(StorageObjectInUseProtection)),
    ("TaintNodesByCondition", Some(TaintNodesByCondition)),
    ("ValidatingAdmissionPolicy", None),
    ("ValidatingAdmissionWebhook", Some(ValidatingAdmissionWebhook)),
];

/// Whether kube-apiserver has a plugin of this name, and whether this server has it, too.
pub(crate) fn find(name: &str) -> Option<Option<Plugin>> {
    let found = PLUGINS.iter().find(|(known, _)| *known == name);
    found.map(|(_, plugin)| *plugin)
}

/// The plugins that are on.
pub(crate) struct AdmissionPlugins {
    off: BTreeSet<Plugin>,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) rest_mapper: Arc<DiscoveryRestMapper>,
    /// Not a plugin, and always on.
    pub(super) escalation: EscalationCheck,
    pub(super) authorizer: Arc<dyn Authorizer>,
}

impl AdmissionPlugins {
    /// Those that are on by default, and what is switched on and off by name. The authorizers say who may do what
    /// beyond the request itself.
    pub(crate) fn new(
        switched_on: &[String],
        switched_off: &[String],
        authorizer: Arc<dyn Authorizer>,
        rbac: Option<Arc<RbacAuthorizer>>,
    ) -> Self {
        let named = |names: &[String]| -> BTreeSet<Plugin> { names.iter().filter_map(|name| find(name)?).collect() };
        let (on, off) = (named(switched_on), BTreeSet::from(OFF_BY_DEFAULT));
        Self {
            off: off.difference(&on).chain(&named(switched_off)).copied().collect(),
            webhooks: Arc::default(),
            rest_mapper: Arc::default(),
            escalation: EscalationCheck::new(authorizer.clone(), rbac),
            authorizer,
        }
    }

    pub(crate) fn is_on(&self, plugin: Plugin) -> bool {
        !self.off.contains(&plugin)
    }
}

impl Default for AdmissionPlugins {
    fn default() -> Self {
        Self::new(&[], &[], Arc::new(AlwaysAllow), None)
    }
}
