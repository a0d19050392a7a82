//! The rules of kube-apiserver, in its words: one file per group of kinds.

pub(super) mod batch;
pub(super) mod config;
mod cron;
mod indexes;
mod ip;
pub mod metadata;
pub(super) mod pod;
mod rolling;
mod selector;
pub(super) mod service;
pub(super) mod values;
pub(super) mod workloads;
