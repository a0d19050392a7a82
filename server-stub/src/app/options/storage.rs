//! Where objects are kept.

use std::str::FromStr;
use std::sync::Arc;

use crate::app::flags::FlagSet;
use crate::storage::Storage;
use crate::storage::memory::{MemoryOptions, MemoryStorage};

/// The storage backend.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StorageOptions {
    /// The backend. Default: memory.
    pub backend: StorageBackend,
    /// Accepted with a notice: objects are kept in memory and are gone when the server stops.
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
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "etcd-servers",
            &mut self.etcd_servers,
            "Accepted with a notice: objects are kept in memory and are gone when the server stops.",
        );
    }

    pub(super) fn validate(&self, _errors: &mut Vec<String>) {}

    /// The store that these options ask for.
    pub(crate) fn open(&self) -> Arc<dyn Storage> {
        if !self.etcd_servers.is_empty() {
            tracing::info!("--etcd-servers is accepted for compatibility: objects are kept in memory");
        }
        match self.backend {
            StorageBackend::Memory => Arc::new(MemoryStorage::new(MemoryOptions::default())),
        }
    }
}
