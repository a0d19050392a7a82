//! The generic API server: what every server in the delegation chain has, whichever API groups it serves.

pub mod clock;
pub mod delegation;
pub mod request;
