//! The program: options, the chain of servers, and running it.

mod api_groups;
mod chain;
mod component_statuses;
mod error;
pub mod flags;
pub mod options;
mod server;

pub use chain::{ChainConfig, create_server_chain};
pub use error::AppError;
pub use options::Options;
pub use server::Server;
