//! Roles and their bindings; how requests share the server.

use super::cluster::COUNTED_CONDITIONAL;
use super::rules::Rules;
use crate::registry::validation::metadata::path_segment_name;
use crate::registry::validation::{access, flow_control};

const PLAIN: Rules = Rules {
    create_on_update: true,
    name: path_segment_name,
    ..Rules::PLAIN
};

pub(super) const ROLE: Rules = Rules {
    validate: access::role,
    ..PLAIN
};

pub(super) const CLUSTER_ROLE: Rules = Rules {
    validate: access::cluster_role,
    ..PLAIN
};

pub(super) const ROLE_BINDING: Rules = Rules {
    validate: access::role_binding,
    validate_update: access::binding_update,
    ..PLAIN
};

pub(super) const CLUSTER_ROLE_BINDING: Rules = Rules {
    validate: access::cluster_role_binding,
    validate_update: access::binding_update,
    ..PLAIN
};

pub(super) const FLOW_SCHEMA: Rules = Rules {
    validate: flow_control::flow_schema,
    validate_status: flow_control::status,
    ..COUNTED_CONDITIONAL
};

pub(super) const PRIORITY_LEVEL: Rules = Rules {
    validate: flow_control::priority_level,
    validate_status: flow_control::status,
    ..COUNTED_CONDITIONAL
};
