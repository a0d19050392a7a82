//! The rules of kube-apiserver, in its words: one file per group of kinds.

pub(super) mod access;
pub(super) mod admission_policies;
pub(super) mod autoscaling;
pub(super) mod batch;
pub(super) mod certificates;
pub(super) mod config;
mod cron;
mod difference;
pub(super) mod endpoints;
pub(super) mod events;
pub(crate) mod flow_control;
mod indexes;
mod ip;
pub(super) mod limits;
pub mod metadata;
pub(super) mod network;
pub(super) mod node_status;
pub(super) mod nodes;
pub(super) mod pod;
pub(crate) mod policy;
mod resource_names;
mod rolling;
pub(super) mod selector;
pub(super) mod service;
pub(super) mod service_cidrs;
pub(super) mod storage;
pub(crate) mod values;
mod volumes;
pub(crate) mod webhooks;
pub(super) mod workloads;

/// Errors in the words that a client reads.
#[cfg(test)]
pub(in crate::registry) fn told(errors: Vec<crate::field_error::FieldError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}
