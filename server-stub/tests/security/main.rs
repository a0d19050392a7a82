//! Who is let in, who may do what, and what is refused on its way into storage.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

mod admission;
mod caller;
mod escalation;
mod flow_control;
mod impersonation;
mod owner_references;
mod service_account_tokens;
