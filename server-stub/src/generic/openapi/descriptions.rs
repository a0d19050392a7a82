//! What the types and fields of the API are for, in the words of the API's authors: `k8s-openapi` brings the texts.

use k8s_openapi::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta;
use k8s_openapi::apimachinery::pkg::version::Info;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// Descriptions by the OpenAPI names of types. Some megabytes: made for a purpose and dropped after it.
pub(crate) struct Descriptions(Map<String, Value>);

macro_rules! collect {
    ($($kind:ty),+ $(,)?) => {{
        let mut generator = SchemaSettings::openapi3().into_generator();
        $(let _ = generator.subschema_for::<$kind>();)+
        generator.take_definitions(true)
    }};
}

impl Descriptions {
    /// Collects those of every kind that the API types have.
    pub(crate) fn collect() -> Self {
        #[cfg_attr(
            not(feature = "latest"),
            expect(unused_mut, reason = "only the newest types bring more")
        )]
        let mut descriptions = Self::of_every_version();
        #[cfg(feature = "latest")]
        descriptions.append(&mut Self::of_the_newest());
        Self(descriptions)
    }

    /// Those of kinds that the newest version of the API types has.
    #[cfg(feature = "latest")]
    fn of_the_newest() -> Map<String, Value> {
        collect!(
            api::admissionregistration::v1::MutatingAdmissionPolicy,
            api::admissionregistration::v1::MutatingAdmissionPolicyBinding,
            api::certificates::v1::ClusterTrustBundle,
            api::certificates::v1::PodCertificateRequest,
            api::resource::v1::DeviceClass,
            api::resource::v1::DeviceTaintRule,
            api::resource::v1::ResourceClaim,
            api::resource::v1::ResourceClaimTemplate,
            api::resource::v1::ResourceSlice,
            api::storage::v1::VolumeAttributesClass,
            api::storagemigration::v1::StorageVersionMigration,
        )
    }

    /// Those of kinds that all supported versions of the API types have.
    fn of_every_version() -> Map<String, Value> {
        collect!(
            APIService,
            CustomResourceDefinition,
            api::admissionregistration::v1::MutatingWebhookConfiguration,
            api::admissionregistration::v1::ValidatingAdmissionPolicy,
            api::admissionregistration::v1::ValidatingAdmissionPolicyBinding,
            api::admissionregistration::v1::ValidatingWebhookConfiguration,
            api::apps::v1::ControllerRevision,
            api::apps::v1::DaemonSet,
            api::apps::v1::Deployment,
            api::apps::v1::ReplicaSet,
            api::apps::v1::StatefulSet,
            api::authentication::v1::SelfSubjectReview,
            api::authentication::v1::TokenRequest,
            api::authentication::v1::TokenReview,
            api::authorization::v1::LocalSubjectAccessReview,
            api::authorization::v1::SelfSubjectAccessReview,
            api::authorization::v1::SelfSubjectRulesReview,
            api::authorization::v1::SubjectAccessReview,
            api::autoscaling::v1::HorizontalPodAutoscaler,
            api::autoscaling::v1::Scale,
            api::autoscaling::v2::HorizontalPodAutoscaler,
            api::batch::v1::CronJob,
            api::batch::v1::Job,
            api::certificates::v1::CertificateSigningRequest,
            api::coordination::v1::Lease,
            api::core::v1::Binding,
            api::core::v1::ComponentStatus,
            api::core::v1::ConfigMap,
            api::core::v1::Endpoints,
            api::core::v1::Event,
            api::core::v1::LimitRange,
            api::core::v1::Namespace,
            api::core::v1::Node,
            api::core::v1::PersistentVolume,
            api::core::v1::PersistentVolumeClaim,
            api::core::v1::Pod,
            api::core::v1::PodTemplate,
            api::core::v1::ReplicationController,
            api::core::v1::ResourceQuota,
            api::core::v1::Secret,
            api::core::v1::Service,
            api::core::v1::ServiceAccount,
            api::discovery::v1::EndpointSlice,
            api::events::v1::Event,
            api::flowcontrol::v1::FlowSchema,
            api::flowcontrol::v1::PriorityLevelConfiguration,
            api::networking::v1::Ingress,
            api::networking::v1::IngressClass,
            api::networking::v1::IPAddress,
            api::networking::v1::NetworkPolicy,
            api::networking::v1::ServiceCIDR,
            api::node::v1::RuntimeClass,
            api::policy::v1::Eviction,
            api::policy::v1::PodDisruptionBudget,
            api::rbac::v1::ClusterRole,
            api::rbac::v1::ClusterRoleBinding,
            api::rbac::v1::Role,
            api::rbac::v1::RoleBinding,
            api::scheduling::v1::PriorityClass,
            api::storage::v1::CSIDriver,
            api::storage::v1::CSINode,
            api::storage::v1::CSIStorageCapacity,
            api::storage::v1::StorageClass,
            api::storage::v1::VolumeAttachment,
            meta::v1::APIGroup,
            meta::v1::APIGroupList,
            meta::v1::APIResourceList,
            meta::v1::APIVersions,
            meta::v1::DeleteOptions,
            meta::v1::ListMeta,
            meta::v1::ObjectMeta,
            meta::v1::Patch,
            meta::v1::Status,
            Info,
        )
    }

    /// What a type is for.
    pub(crate) fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.get("description")?.as_str()
    }

    /// What a field of a type is for.
    pub(crate) fn of_field(&self, name: &str, field: &str) -> Option<&str> {
        // Lists are not among the types that have names of their own.
        let name = match field {
            "kind" | "apiVersion" if !self.0.contains_key(name) => "io.k8s.api.core.v1.Pod",
            "metadata" if !self.0.contains_key(name) => "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
            _ => name,
        };
        self.0
            .get(name)?
            .get("properties")?
            .get(field)?
            .get("description")?
            .as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_types_and_fields() {
        let descriptions = Descriptions::collect();
        let text = descriptions.of_field("io.k8s.api.core.v1.PodSpec", "nodeName").unwrap();
        assert!(text.contains("node"), "{text}");
        assert!(descriptions.of("io.k8s.api.core.v1.Pod").is_some());
        assert!(descriptions.of_field("io.k8s.api.core.v1.Pod", "nosuch").is_none());
    }
}
