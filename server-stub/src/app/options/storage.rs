//! Where objects are kept.

use std::str::FromStr;
use std::sync::Arc;

use clap::Args;

use crate::storage::Storage;
use crate::storage::memory::{MemoryOptions, MemoryStorage};

/// The storage backend.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Storage")]
#[non_exhaustive]
pub struct StorageOptions {
    /// The backend. Default: memory.
    #[arg(skip)]
    pub backend: StorageBackend,
    /// Accepted with a notice: objects are kept in memory and are gone when the server stops.
    #[arg(long, value_delimiter = ',')]
    pub etcd_servers: Vec<String>,
}

/// A storage backend, by its word on the command line.
///
/// ```
/// use kubewire_server_stub::app::options::StorageBackend;
///
/// assert_eq!("memory".parse(), Ok(StorageBackend::Memory));
/// assert!("etcd2".parse::<StorageBackend>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageBackend {
    /// Nothing is kept when the server stops.
    #[default]
    Memory,
}

impl StorageBackend {
    const WORDS: &[(&str, Self)] = &[("memory", Self::Memory)];
}

impl FromStr for StorageBackend {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, backend)| *backend).ok_or_else(|| {
            let words: Vec<&str> = Self::WORDS.iter().map(|(word, _)| *word).collect();
            format!("--storage-backend invalid, allowed values: {}", words.join(", "))
        })
    }
}

impl StorageOptions {
    /// The store that these options ask for.
    pub(crate) fn open(&self) -> Arc<dyn Storage> {
        match self.backend {
            StorageBackend::Memory => Arc::new(MemoryStorage::new(MemoryOptions::default())),
        }
    }
}
