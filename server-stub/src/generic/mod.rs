//! The generic API server: what every server in the delegation chain has, whichever API groups it serves.

pub mod certificates;
pub mod clock;
pub mod config;
mod corked;
pub mod debug_flags;
pub mod delegation;
pub mod discovery;
pub mod dynamic_files;
pub mod equivalent_resources;
pub mod health;
pub mod hooks;
mod in_process;
mod index;
pub mod lifecycle;
mod lingering;
pub mod metrics;
pub mod mux;
pub mod openapi;
mod pprof;
mod prepared;
mod read_away;
pub mod request;
pub(crate) mod respond;

pub mod server;
pub mod serving;
pub mod serving_certificates;
pub mod upgrades;
pub mod version;
pub mod yaml;
mod zpages;

pub use config::Config;
pub use in_process::InProcess;
pub(crate) use openapi::Descriptions;
pub use prepared::{PreparedGenericApiServer, RunError};
