//! A Kubernetes client that speaks uncompressed protobuf by default.

pub mod backoff;
pub mod config;
mod object;
mod resource;
pub mod transport;
pub mod wire;

pub use object::Object;
pub use resource::{Gvk, Gvr, ObjectKey, ResourceVersion};
