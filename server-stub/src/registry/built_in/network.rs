//! Ingresses, network policies and endpoints.

use super::cluster::COUNTED_WHOLE;
use super::rules::Rules;
use crate::registry::validation::{endpoints, network, service_cidrs};

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

pub(super) const SERVICE_CIDR: Rules = Rules {
    validate: service_cidrs::service_cidr,
    validate_update: service_cidrs::service_cidr_update,
    ..Rules::PLAIN
};

pub(super) const IP_ADDRESS: Rules = Rules {
    name: service_cidrs::ip_name,
    validate: service_cidrs::ip_address,
    validate_update: |new, old| service_cidrs::ip_address_update(new, old).into_iter().collect(),
    ..Rules::PLAIN
};
