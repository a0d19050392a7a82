//! The rules of kube-apiserver, in its words: one file per group of kinds.

pub(super) mod config;
pub mod metadata;
pub(super) mod pod;
mod selector;
pub(super) mod values;
