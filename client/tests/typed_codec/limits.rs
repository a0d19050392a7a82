//! What the Rust types of k8s-openapi cannot say, field by field.
//!
//! A field whose Rust type is required has no nil. Go's nil comes out of the type as zero, in JSON as in protobuf.

use std::collections::BTreeSet;

use kubewire_client::wire::schema::{Container, MessageSchema, Special, Type};
use serde_json::{Map, Value};

/// Fields whose Rust type is required where Go has a pointer, bytes or a wrapped list: nil becomes zero.
const NO_NIL: &[&str] = &[
    "admissionregistration.v1.MutatingWebhook.sideEffects",
    "admissionregistration.v1.ValidatingWebhook.sideEffects",
    "apps.v1.DaemonSetSpec.selector",
    "apps.v1.DeploymentSpec.selector",
    "apps.v1.ReplicaSetSpec.selector",
    "apps.v1.StatefulSetSpec.selector",
    "certificates.v1.CertificateSigningRequestSpec.request",
    "certificates.v1.PodCertificateRequestSpec.stubPKCS10Request",
    "certificates.v1beta1.PodCertificateRequestSpec.stubPKCS10Request",
    "core.v1.EvictionResponder.priority",
    "core.v1.NodeAllocatableMappedResources.quantity",
    "core.v1.ScaleIOPersistentVolumeSource.secretRef",
    "core.v1.ScaleIOVolumeSource.secretRef",
    "lifecycle.v1alpha1.TargetResponder.priority",
    "meta.v1.APIResource.verbs",
    "networking.v1.HTTPIngressPath.pathType",
    "networking.v1.IPAddressSpec.parentRef",
    "resource.v1.CapacityRequestPolicyRange.min",
    "resource.v1alpha3.PartitionTypeStatus.allocatable",
    "resource.v1alpha3.PartitionTypeStatus.total",
    "resource.v1alpha3.ResourcePoolStatusRequestStatus.poolCount",
    "resource.v1alpha3.ShareableCapacityStatus.available",
    "resource.v1alpha3.ShareableCapacityStatus.consumed",
    "resource.v1alpha3.ShareableCapacityStatus.total",
    "resource.v1alpha3.ShareableSummaryStatus.fullyAvailableDevices",
    "resource.v1alpha3.ShareableSummaryStatus.partiallyAvailableDevices",
    "resource.v1beta1.CapacityRequestPolicyRange.min",
    "resource.v1beta2.CapacityRequestPolicyRange.min",
    "scheduling.v1alpha3.CompositePodGroupSpec.workloadRef",
];

/// Fields whose Rust type refuses `null` in JSON, which Go writes for a zero time and an empty union.
const NO_NULL: &[&str] = &[
    "apiextensions.v1.JSONSchemaProps.dependencies",
    "apiextensions.v1beta1.JSONSchemaProps.dependencies",
    "events.v1.EventSeries.lastObservedTime",
    "meta.v1.Condition.lastTransitionTime",
];

/// The same, met only by the fixtures of whole kinds.
const NO_NULL_IN_KINDS: &[&str] = &[
    "policy.v1.PodDisruptionBudgetStatus.disruptedPods",
    "policy.v1beta1.PodDisruptionBudgetStatus.disruptedPods",
];

/// Messages that are `null` themselves, with the same result.
const NO_NULL_ROOT: &[&str] = &[
    "apiextensions.v1.JSONSchemaPropsOrArray",
    "apiextensions.v1.JSONSchemaPropsOrStringArray",
    "apiextensions.v1beta1.JSONSchemaPropsOrArray",
    "apiextensions.v1beta1.JSONSchemaPropsOrStringArray",
    "meta.v1.MicroTime",
    "meta.v1.Time",
];

/// What was met on the way through the fixtures.
#[derive(Default)]
pub(crate) struct Met {
    limits: BTreeSet<&'static str>,
    /// The current object cannot be read from JSON.
    pub(crate) unreadable: bool,
}

impl Met {
    /// Fails where a limit is listed that no message meets.
    pub(crate) fn finish_messages(&self) {
        self.finish(&[NO_NIL, NO_NULL, NO_NULL_ROOT].concat());
    }

    /// Fails where a limit is listed that no kind meets.
    pub(crate) fn finish_kinds(&self) {
        self.finish(NO_NULL_IN_KINDS);
    }

    fn finish(&self, limits: &[&'static str]) {
        println!("limits of the Rust types:");
        for limit in limits {
            assert!(self.limits.contains(limit), "no fixture meets the listed limit {limit}");
            let reason = if NO_NIL.contains(limit) {
                "no nil, zero instead"
            } else {
                "JSON null is refused"
            };
            println!("  {limit}: {reason}");
        }
    }
}

/// Changes a value into what its Rust type can say.
pub(crate) fn apply(schema: &MessageSchema, value: &mut Value, met: &mut Met) {
    met.unreadable = false;
    if let Some(root) = NO_NULL_ROOT
        .iter()
        .find(|root| **root == schema.name && value.is_null())
    {
        met.unreadable = true;
        met.limits.insert(root);
    }
    apply_to_message(schema, value, met);
}

fn apply_to_message(schema: &MessageSchema, value: &mut Value, met: &mut Met) {
    let inner = schema.fields.iter().find_map(|field| field.message());
    match (schema.special, value) {
        (None, Value::Object(members)) => apply_to_members(schema, schema.name, members, met),
        (Some(Special::SchemaOrBool | Special::SchemaOrArray | Special::SchemaOrStrings), value) => {
            let schemas = match value {
                Value::Array(schemas) => schemas.as_mut_slice(),
                schema => std::slice::from_mut(schema),
            };
            for schema in schemas.iter_mut().filter(|schema| schema.is_object()) {
                apply_to_message(inner.unwrap(), schema, met);
            }
        }
        _ => {}
    }
}

/// The members of a message; those of inlined ones belong to their owner.
fn apply_to_members(schema: &MessageSchema, owner: &str, members: &mut Map<String, Value>, met: &mut Met) {
    for field in schema.fields {
        if let Some(inner) = field.message().filter(|_| field.inlined) {
            apply_to_members(inner, owner, members, met);
            continue;
        }
        let name = format!("{owner}.{}", field.json);
        let value = members.get(field.json);
        if let Some(limit) = NO_NIL
            .iter()
            .find(|limit| **limit == name && value.is_none_or(Value::is_null))
        {
            members.insert(field.json.to_owned(), zero(field.ty));
            met.limits.insert(limit);
        }
        let Some(value) = members.get_mut(field.json) else {
            continue;
        };
        if let Some(limit) = NO_NULL
            .iter()
            .chain(NO_NULL_IN_KINDS)
            .find(|limit| **limit == name && has_null(value))
        {
            met.limits.insert(limit);
            met.unreadable = true;
        }
        let Some(inner) = field.message() else { continue };
        match (field.container, value) {
            (Container::One, value) => apply_to_message(inner, value, met),
            (Container::List, Value::Array(elements)) => {
                elements
                    .iter_mut()
                    .for_each(|element| apply_to_message(inner, element, met));
            }
            (Container::Map, Value::Object(entries)) => {
                entries
                    .values_mut()
                    .for_each(|entry| apply_to_message(inner, entry, met));
            }
            _ => {}
        }
    }
}

/// True for null, and for a map with a null in it.
fn has_null(value: &Value) -> bool {
    value.is_null()
        || value
            .as_object()
            .is_some_and(|entries| entries.values().any(Value::is_null))
}

fn zero(ty: Type) -> Value {
    match ty {
        Type::String | Type::Bytes => "".into(),
        Type::Message(message) if message.special == Some(Special::List) => Value::Array(Vec::new()),
        Type::Message(message) if message.special == Some(Special::Quantity) => "0".into(),
        Type::Message(_) => Value::Object(Map::new()),
        _ => 0.into(),
    }
}
