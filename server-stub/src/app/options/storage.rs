//! Where objects are kept.

use clap::Args;

/// The storage backend.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Storage")]
#[non_exhaustive]
pub struct StorageOptions {
    /// Accepted with a notice: objects are kept in memory and are gone when the server stops.
    #[arg(long, value_delimiter = ',')]
    pub etcd_servers: Vec<String>,
}
