//! A Kubernetes client that speaks uncompressed protobuf by default.

mod object;
mod resource;
pub mod wire;

pub use object::Object;
pub use resource::{Gvk, Gvr, ObjectKey, ResourceVersion};
