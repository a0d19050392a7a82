//! Nodes, events, leases and other kinds with few rules.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::rules::{Rules, not_supported};
use crate::aggregator::validation as api_service;
use crate::registry::query::WriteContext;
use crate::registry::store::seconds;
use crate::registry::strategy::GarbageCollection;
use crate::registry::validation::metadata::path_segment_name;
use crate::registry::validation::values::{get, put, text};
use crate::registry::validation::{admission_policies, events, node_status, nodes, policy, webhooks};

pub(super) const NODE: Rules = Rules {
    validate: nodes::node,
    validate_update: nodes::node_update,
    default: |node| {
        // A node gives away all that it has unless it says otherwise.
        let capacity = get(node, "/status/capacity").clone();
        if get(node, "/status/allocatable").is_null() && !capacity.is_null() {
            put(node, &["status", "allocatable"], capacity);
        }
    },
    validate_status: |node, _| node_status::status(node),
    unknown_field: not_supported,
    // A kubelet registers its node with it.
    new_with_status: true,
    ..Rules::PLAIN
};

pub(super) const CORE_EVENT: Rules = Rules {
    name: path_segment_name,
    validate: events::core,
    validate_update: |_, _| Vec::new(),
    ..EVENT
};

pub(super) const EVENT: Rules = Rules {
    validate: |event| {
        let mut errors = events::event(event);
        if get(event, "/metadata/resourceVersion").is_null() {
            errors.extend(events::new_event(event));
        }
        errors
    },
    validate_update: events::event_update,
    create_on_update: true,
    garbage_collection: GarbageCollection::Unsupported,
    is_event: true,
    field: event_field,
    unknown_field: not_supported,
    ..Rules::PLAIN
};

pub(super) const LEASE: Rules = Rules {
    create_on_update: true,
    unconditional_update: false,
    validate: policy::lease,
    ..Rules::PLAIN
};

/// Kinds whose deletion answers with the object.
pub(super) const SHOWN_WHEN_DELETED: Rules = Rules {
    returns_deleted_object: true,
    ..Rules::PLAIN
};

pub(super) const RESOURCE_SLICE: Rules = Rules {
    unknown_field: |field, _| format!("field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {field}"),
    ..COUNTED_SHOWN_WHEN_DELETED
};

/// The same for kinds that count changes.
pub(super) const COUNTED_SHOWN_WHEN_DELETED: Rules = Rules {
    returns_deleted_object: true,
    ..Rules::COUNTED
};

/// Kinds whose update has to name a version.
pub(super) const CONDITIONAL: Rules = Rules {
    unconditional_update: false,
    ..Rules::PLAIN
};

/// Kinds whose update has to name a version and whose deletion answers with the object.
pub(super) const CONDITIONAL_SHOWN_WHEN_DELETED: Rules = Rules {
    returns_deleted_object: true,
    ..CONDITIONAL
};

/// Kinds that count changes and whose update has to name a version.
pub(super) const COUNTED_CONDITIONAL: Rules = Rules {
    unconditional_update: false,
    ..Rules::COUNTED
};

/// Kinds without a spec: everything beside metadata is what is wished for.
pub(super) const COUNTED_WHOLE: Rules = Rules {
    spec_changed: |new, old| {
        let rest = |object: &Value| {
            let mut rest = object.clone();
            if let Some(fields) = rest.as_object_mut() {
                fields.remove("metadata");
            }
            rest
        };
        rest(new) != rest(old)
    },
    ..Rules::COUNTED
};

pub(super) const COUNTED_WHOLE_CONDITIONAL: Rules = Rules {
    unconditional_update: false,
    ..COUNTED_WHOLE
};

pub(super) const WEBHOOKS: Rules = Rules {
    validate: webhooks::configuration,
    warnings: |configuration, _| webhooks::warnings(configuration),
    ..COUNTED_WHOLE_CONDITIONAL
};

pub(super) const API_SERVICE: Rules = Rules {
    create: local_is_available,
    validate: api_service::validate,
    name: path_segment_name,
    unconditional_update: false,
    ..Rules::PLAIN
};

fn event_field<'a>(event: &'a Value, field: &str) -> Option<Cow<'a, str>> {
    if let Some(rest) = field.strip_prefix("involvedObject.")
        && event.get("involvedObject").is_none()
    {
        return Some(text(event, &format!("/regarding/{rest}")).into());
    }
    match field {
        "source" => {
            let source = [
                text(event, "/source/component"),
                text(event, "/deprecatedSource/component"),
            ];
            let named = source.into_iter().find(|name| !name.is_empty());
            Some(named.unwrap_or_else(|| controller(event)).into())
        }
        "reportingComponent" => Some(controller(event).into()),
        _ => None,
    }
}

fn controller(event: &Value) -> &str {
    match text(event, "/reportingComponent") {
        "" => text(event, "/reportingController"),
        name => name,
    }
}

/// An APIService that this server serves itself is available from the start.
fn local_is_available(api_service: &mut Value, context: &WriteContext) {
    if get(api_service, "/spec/service").is_null() {
        let condition = json!({
            "type": "Available",
            "status": "True",
            "lastTransitionTime": seconds(context.clock.now()),
            "reason": "Local",
            "message": "Local APIServices are always available",
        });
        put(api_service, &["status", "conditions"], json!([condition]));
    }
}

pub(super) const VALIDATING_POLICY: Rules = Rules {
    default: admission_policies::policy_defaults,
    validate: admission_policies::policy,
    ..COUNTED_WHOLE_CONDITIONAL
};

pub(super) const VALIDATING_POLICY_BINDING: Rules = Rules {
    default: admission_policies::binding_defaults,
    validate: admission_policies::binding,
    ..COUNTED_WHOLE_CONDITIONAL
};
