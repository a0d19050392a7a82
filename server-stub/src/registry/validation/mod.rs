//! The rules of kube-apiserver, in its words: one file per group of kinds.

pub mod metadata;
