//! A minimal Kubernetes API server for tests, as a library and as a binary.

pub mod endpoints;
pub mod field_error;
mod human_duration;
pub mod registry;
pub mod status;
