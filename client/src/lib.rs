//! A Kubernetes client that speaks uncompressed protobuf by default.
//!
//! [`Clientset`] has an accessor for every built-in resource; each gives an [`Api`], which has the verbs.
//! [`Config`] says where the API server is and who asks. The API types are those of [`k8s_openapi`]; [`types`] has
//! what it lacks.

pub mod api;
pub mod backoff;
pub mod clientset;
pub mod config;
pub mod discovery;
pub mod dynamic;
mod error;
pub mod metadata;
mod object;
mod resource;
pub mod rest;
pub mod selector;
pub mod streams;
pub mod transport;
pub mod types;
pub mod validation;
pub mod wire;

pub use api::{Api, Deleted, ListOptions, ObjectList, Patch, PatchOptions, WatchEvent, WriteOptions};
pub use clientset::Clientset;
pub use config::Config;
pub use error::Error;
pub use object::{Decode, Object};
pub use resource::{Gvk, Gvr, ObjectKey, ResourceVersion};
pub use rest::Client;
