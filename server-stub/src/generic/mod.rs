//! The generic API server: what every server in the delegation chain has, whichever API groups it serves.

pub mod clock;
pub mod delegation;
pub mod discovery;
pub mod health;
pub mod hooks;
pub mod lifecycle;
pub mod mux;
pub mod request;
pub(crate) mod respond;
pub mod server;
pub mod version;
