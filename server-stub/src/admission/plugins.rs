//! Which admission plugins there are, and which are on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::webhooks::Webhooks;
use crate::authorization::escalation::EscalationCheck;
use crate::authorization::{AlwaysAllow, Authorizer, RbacAuthorizer};

/// The plugins that this server has. They run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plugin {
    NamespaceLifecycle,
    LimitRanger,
    RuntimeClass,
    Priority,
    StorageObjectInUseProtection,
    DefaultStorageClass,
    DefaultIngressClass,
    MutatingAdmissionWebhook,
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    PersistentVolumeClaimResize,
    PodSecurity,
    ValidatingAdmissionWebhook,
    ResourceQuota,
}

use Plugin::{
    CertificateApproval, CertificateSigning, CertificateSubjectRestriction, DefaultIngressClass, DefaultStorageClass,
    LimitRanger, MutatingAdmissionWebhook, NamespaceLifecycle, PersistentVolumeClaimResize, PodSecurity, Priority,
    ResourceQuota, RuntimeClass, StorageObjectInUseProtection, ValidatingAdmissionWebhook,
};

/// All plugins of kube-apiserver. Those of this server are on unless they are switched off, as there.
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
    ("DefaultTolerationSeconds", None),
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
    ("OwnerReferencesPermissionEnforcement", None),
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
    ("ServiceAccount", None),
    ("StorageObjectInUseProtection", Some(StorageObjectInUseProtection)),
    ("TaintNodesByCondition", None),
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
    /// Not a plugin, and always on.
    pub(super) escalation: EscalationCheck,
    pub(super) authorizer: Arc<dyn Authorizer>,
}

impl AdmissionPlugins {
    /// All but those of these names. The authorizers say who may do what beyond the request itself.
    pub(crate) fn without(
        names: &[String],
        authorizer: Arc<dyn Authorizer>,
        rbac: Option<Arc<RbacAuthorizer>>,
    ) -> Self {
        Self {
            off: names.iter().filter_map(|name| find(name)?).collect(),
            webhooks: Arc::default(),
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
        Self::without(&[], Arc::new(AlwaysAllow), None)
    }
}
