//! What can differ between built-in resources, and which resource has which rules.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::{
    access, batch, certificates, cluster, config, definitions, limits, namespaces, network, pods, services, volumes,
    workloads,
};
use crate::field_error::quote;
use crate::registry::query::{DeleteOptions, WriteContext};
use crate::registry::strategy::{GarbageCollection, Update};
use crate::registry::validation::metadata::{NameRule, subdomain_name};
use crate::status::{ApiError, FieldError};

/// The behaviour of a built-in resource; the fields follow [`Strategy`](crate::registry::Strategy).
pub(super) struct Rules {
    /// What is filled in beside the defaults of the table.
    pub(super) default: fn(&mut Value),
    /// How what clients write becomes what is stored, before defaults.
    pub(super) convert: fn(&mut Value),
    pub(super) create: fn(&mut Value, &WriteContext),
    /// Whether a new object may have a status.
    pub(super) new_with_status: bool,
    /// Fields of metadata that an update of the status leaves alone.
    pub(super) status_keeps: &'static [&'static str],
    pub(super) update: fn(&mut Update<'_>),
    pub(super) validate: fn(&Value) -> Vec<FieldError>,
    /// Beyond `validate`, for updates of the object itself.
    pub(super) validate_update: fn(&Value, &Value) -> Vec<FieldError>,
    /// The rules for an update of the status.
    pub(super) validate_status: fn(&Value, &Value) -> Vec<FieldError>,
    /// The rules for an update of any other subresource, which is named.
    pub(super) validate_subresource: fn(&str, &Value, &Value) -> Vec<FieldError>,
    /// What the client should know of a valid object, new or changed from an old one.
    pub(super) warnings: fn(&Value, Option<&Value>) -> Vec<String>,
    pub(super) name: NameRule,
    pub(super) has_generation: bool,
    pub(super) spec_changed: fn(&Value, &Value) -> bool,
    pub(super) create_on_update: bool,
    pub(super) unconditional_update: bool,
    pub(super) garbage_collection: GarbageCollection,
    /// What a client should know that leaves out the policy of a deletion.
    pub(super) default_deletion_warning: Option<&'static str>,
    /// What the error for a precondition of a deletion begins with, where that is worded as for updates.
    pub(super) precondition_words: Option<&'static str>,
    pub(super) grace_period: fn(&Value, &DeleteOptions) -> Option<i64>,
    pub(super) mark_deleted: fn(&mut Value),
    pub(super) must_stay: fn(&Value) -> bool,
    pub(super) returns_deleted_object: bool,
    /// Whether objects go away by themselves after the time that the server is started with.
    pub(super) is_event: bool,
    pub(super) field: for<'a> fn(&'a Value, &str) -> Option<Cow<'a, str>>,
    pub(super) unknown_field: fn(&str, &[&str]) -> String,
    pub(super) check_delete: fn(&Value) -> Result<(), ApiError>,
}

impl Rules {
    /// A resource without any rules of its own.
    pub(super) const PLAIN: Self = Self {
        default: |_| {},
        convert: |_| {},
        create: |_, _| {},
        new_with_status: false,
        status_keeps: &[],
        update: |_| {},
        validate: |_| Vec::new(),
        validate_update: |_, _| Vec::new(),
        validate_status: |_, _| Vec::new(),
        validate_subresource: |_, _, _| Vec::new(),
        warnings: |_, _| Vec::new(),
        name: subdomain_name,
        has_generation: false,
        spec_changed: |new, old| new.get("spec") != old.get("spec"),
        create_on_update: false,
        unconditional_update: true,
        garbage_collection: GarbageCollection::Background,
        default_deletion_warning: None,
        precondition_words: None,
        grace_period: |_, _| None,
        mark_deleted: |_| {},
        must_stay: |_| false,
        returns_deleted_object: false,
        is_event: false,
        field: |_, _| None,
        unknown_field: |field, known| {
            let known: Vec<String> = known.iter().map(|field| quote(field)).collect();
            format!(
                "{} is not a known field selector: only {}",
                quote(field),
                known.join(", ")
            )
        },
        check_delete: |_| Ok(()),
    };

    /// A resource that counts the changes of its spec.
    pub(super) const COUNTED: Self = Self {
        has_generation: true,
        ..Self::PLAIN
    };
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

/// How many kinds say that a field selector names a field that they do not offer.
pub(super) fn not_supported(field: &str, _: &[&str]) -> String {
    format!("field label not supported: {field}")
}

/// The rules of a resource.
pub(super) fn of(group: &str, resource: &str) -> &'static Rules {
    match (group, resource) {
        ("", "pods") => &pods::POD,
        ("", "namespaces") => &namespaces::NAMESPACE,
        ("", "services") => &services::SERVICE,
        ("", "configmaps") => &config::CONFIG_MAP,
        ("", "secrets") => &config::SECRET,
        ("", "nodes") => &cluster::NODE,
        ("", "events") => &cluster::CORE_EVENT,
        ("events.k8s.io", "events") => &cluster::EVENT,
        ("", "endpoints") => &network::ENDPOINTS,
        ("", "limitranges") => &limits::LIMIT_RANGE,
        ("", "resourcequotas") => &limits::RESOURCE_QUOTA,
        ("", "serviceaccounts") => &config::SERVICE_ACCOUNT,
        ("", "podtemplates") => &workloads::POD_TEMPLATE,
        ("apps", "controllerrevisions") => &workloads::CONTROLLER_REVISION,
        ("", "persistentvolumes") => &volumes::PERSISTENT_VOLUME,
        ("", "persistentvolumeclaims") => &volumes::PERSISTENT_VOLUME_CLAIM,
        ("", "replicationcontrollers") => &workloads::REPLICATION_CONTROLLER,
        ("apps", "deployments") => &workloads::DEPLOYMENT,
        ("apps", "replicasets") => &workloads::REPLICA_SET,
        ("apps", "statefulsets") => &workloads::STATEFUL_SET,
        ("apps", "daemonsets") => &workloads::DAEMON_SET,
        ("batch", "jobs") => &batch::JOB,
        ("batch", "cronjobs") => &batch::CRON_JOB,
        ("coordination.k8s.io", "leases") => &cluster::LEASE,
        ("rbac.authorization.k8s.io", "roles") => &access::ROLE,
        ("rbac.authorization.k8s.io", "clusterroles") => &access::CLUSTER_ROLE,
        ("rbac.authorization.k8s.io", "rolebindings") => &access::ROLE_BINDING,
        ("rbac.authorization.k8s.io", "clusterrolebindings") => &access::CLUSTER_ROLE_BINDING,
        ("certificates.k8s.io", "certificatesigningrequests") => &certificates::SIGNING_REQUEST,
        ("apiregistration.k8s.io", "apiservices") => &cluster::API_SERVICE,
        ("autoscaling", "horizontalpodautoscalers") => &limits::AUTOSCALER,
        ("networking.k8s.io", "ingresses") => &network::INGRESS,
        ("networking.k8s.io", "ingressclasses") => &network::INGRESS_CLASS,
        ("networking.k8s.io", "networkpolicies") => &network::NETWORK_POLICY,
        ("networking.k8s.io", "servicecidrs") => &network::SERVICE_CIDR,
        ("networking.k8s.io", "ipaddresses") => &network::IP_ADDRESS,
        ("discovery.k8s.io", "endpointslices") => &network::ENDPOINT_SLICE,
        ("scheduling.k8s.io", "priorityclasses") => &limits::PRIORITY_CLASS,
        ("policy", "poddisruptionbudgets") => &limits::POD_DISRUPTION_BUDGET,
        ("flowcontrol.apiserver.k8s.io", "flowschemas") => &access::FLOW_SCHEMA,
        ("flowcontrol.apiserver.k8s.io", _) => &access::PRIORITY_LEVEL,
        ("apiextensions.k8s.io", "customresourcedefinitions") => &definitions::CUSTOM_RESOURCE_DEFINITION,
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations" | "mutatingwebhookconfigurations") => {
            &cluster::WEBHOOKS
        }
        ("admissionregistration.k8s.io", "validatingadmissionpolicies") => &cluster::VALIDATING_POLICY,
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings") => &cluster::VALIDATING_POLICY_BINDING,
        ("admissionregistration.k8s.io", _) => &cluster::COUNTED_WHOLE_CONDITIONAL,
        ("storage.k8s.io", "storageclasses") => &volumes::STORAGE_CLASS,
        ("storage.k8s.io", "csistoragecapacities") | ("node.k8s.io", "runtimeclasses") => &cluster::CONDITIONAL,
        ("storage.k8s.io", _) => &cluster::CONDITIONAL_SHOWN_WHEN_DELETED,
        ("resource.k8s.io", "resourceslices") => &cluster::RESOURCE_SLICE,
        ("resource.k8s.io", "deviceclasses") => &cluster::COUNTED_SHOWN_WHEN_DELETED,
        ("resource.k8s.io", _) => &cluster::SHOWN_WHEN_DELETED,
        _ => &Rules::PLAIN,
    }
}
