//! A minimal Kubernetes API server for tests, as a library and as a binary.

pub mod endpoints;
pub mod field_error;
pub mod generic;
mod human_duration;
pub mod registry;
pub mod status;
pub mod storage;
