//! What bounds how many pods there are, and how much they use.

use super::cluster::{COUNTED_CONDITIONAL, COUNTED_WHOLE};
use super::rules::Rules;
use crate::registry::validation::metadata::path_segment_name;
use crate::registry::validation::values::text;
use crate::registry::validation::{autoscaling, limits, policy, workloads};
use crate::status::{ApiError, GroupResource};

pub(super) const LIMIT_RANGE: Rules = Rules {
    create_on_update: true,
    validate: limits::limit_range,
    ..Rules::PLAIN
};

pub(super) const RESOURCE_QUOTA: Rules = Rules {
    validate: limits::quota,
    validate_update: limits::quota_update,
    returns_deleted_object: true,
    ..Rules::PLAIN
};

pub(super) const AUTOSCALER: Rules = Rules {
    validate: autoscaling::autoscaler,
    validate_status: |new, _| workloads::counters(new, &["currentReplicas", "desiredReplicas"], &[]),
    ..Rules::COUNTED
};

pub(super) const PRIORITY_CLASS: Rules = Rules {
    // It never counts up.
    spec_changed: |_, _| false,
    validate: policy::priority_class,
    validate_update: policy::priority_class_update,
    check_delete: |class| {
        let name = text(class, "/metadata/name");
        match policy::SYSTEM_CLASSES.iter().any(|class| class.0 == name) {
            true => {
                let classes = GroupResource::new("scheduling.k8s.io", "priorityclasses");
                let message = "this is a system priority class and cannot be deleted";
                Err(ApiError::forbidden(&classes, name, message))
            }
            false => Ok(()),
        }
    },
    ..COUNTED_WHOLE
};

pub(super) const POD_DISRUPTION_BUDGET: Rules = Rules {
    name: path_segment_name,
    validate: policy::disruption_budget,
    validate_status: policy::disruption_budget_status,
    ..COUNTED_CONDITIONAL
};
