//! Where objects are kept.

use std::sync::Arc;

use clap::Args;

use crate::storage::Storage;
use crate::storage::memory::{MemoryOptions, MemoryStorage};

/// The storage backend.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Storage")]
#[non_exhaustive]
pub struct StorageOptions {
    /// Accepted with a notice: objects are kept in memory and are gone when the server stops.
    #[arg(long, value_delimiter = ',')]
    pub etcd_servers: Vec<String>,
}

impl StorageOptions {
    /// The store that these options ask for.
    pub(crate) fn open(&self) -> Arc<dyn Storage> {
        Arc::new(MemoryStorage::new(MemoryOptions::default()))
    }
}
