//! Roles and their bindings.

use super::rules::Rules;
use crate::registry::validation::access;
use crate::registry::validation::metadata::path_segment_name;

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
