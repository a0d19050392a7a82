//! Ingresses, network policies and endpoints.

use super::cluster::COUNTED_WHOLE;
use super::rules::Rules;
use crate::registry::validation::{endpoints, network};

pub(super) const INGRESS: Rules = Rules {
    validate: network::ingress,
    validate_status: network::ingress_status,
    ..Rules::COUNTED
};

pub(super) const INGRESS_CLASS: Rules = Rules {
    validate: network::ingress_class,
    validate_update: network::ingress_class_update,
    ..Rules::COUNTED
};

pub(super) const NETWORK_POLICY: Rules = Rules {
    validate: network::network_policy,
    ..Rules::COUNTED
};

pub(super) const ENDPOINTS: Rules = Rules {
    create_on_update: true,
    validate: endpoints::endpoints,
    ..Rules::PLAIN
};

pub(super) const ENDPOINT_SLICE: Rules = Rules {
    validate: endpoints::slice,
    validate_update: endpoints::slice_update,
    ..COUNTED_WHOLE
};
