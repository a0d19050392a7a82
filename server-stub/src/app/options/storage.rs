//! Where objects are kept.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{EtcdOptions, InvalidOptions};
use crate::app::AppError;
use crate::app::flags::NamedFlagSets;
#[cfg(feature = "etcd3")]
use crate::envtest::etcd::is_stand_in;
use crate::field_error::quote;
use crate::generic::clock::Clock;
use crate::registry::protobuf_codec::MediaType;
use crate::registry::storage_factory::StorageFactory;
use crate::storage::disk::{DiskOptions, DiskStorage};
use crate::storage::memory::MemoryStorage;
use crate::storage::{Storage, compactor};

/// The storage backend.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StorageOptions {
    /// The word of the backend; see [`StorageBackend`]. Default: etcd if there are servers, else memory.
    pub storage_backend: String,
    /// The folder of [`StorageBackend::Disk`]; made if it is not there.
    pub storage_path: Option<PathBuf>,
    /// The form of stored objects. Default `application/vnd.kubernetes.protobuf`.
    pub storage_media_type: String,
    /// How long events are kept. Default 1 h.
    pub event_ttl: Duration,
    /// Where etcd is and how it is used.
    pub etcd: EtcdOptions,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            storage_backend: String::new(),
            storage_path: None,
            storage_media_type: "application/vnd.kubernetes.protobuf".to_owned(),
            event_ttl: Duration::from_secs(3600),
            etcd: EtcdOptions::default(),
        }
    }
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
    /// In a folder: what was acknowledged is there after a crash.
    Disk,
    /// In etcd.
    #[cfg(feature = "etcd3")]
    Etcd3,
}

impl StorageBackend {
    const WORDS: &[(&str, Self)] = &[
        #[cfg(feature = "etcd3")]
        ("etcd3", Self::Etcd3),
        ("memory", Self::Memory),
        ("disk", Self::Disk),
    ];
}

impl FromStr for StorageBackend {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, backend)| *backend).ok_or_else(|| {
            let words: Vec<&str> = Self::WORDS.iter().map(|(word, _)| *word).collect();
            format!(
                "--storage-backend invalid, allowed values: {}. If not specified, it will default to 'etcd3' with \
                 --etcd-servers, to 'disk' with --storage-path and to 'memory' without",
                words.join(", ")
            )
        })
    }
}

impl StorageOptions {
    pub(super) fn add_flags<'a>(&'a mut self, all: &mut NamedFlagSets<'a>) {
        let flags = all.group("etcd");
        flags.add(
            "storage-backend",
            &mut self.storage_backend,
            "Where objects are kept: memory (until the server stops), disk (in the folder of --storage-path) or etcd3. \
             By default etcd3 if there are --etcd-servers, else disk if there is a --storage-path, else memory.",
        );
        flags.add(
            "storage-path",
            &mut self.storage_path,
            "The folder of the storage backend disk; made if it is not there.",
        );
        flags.add(
            "storage-media-type",
            &mut self.storage_media_type,
            "The form of stored objects, application/vnd.kubernetes.protobuf or application/json. Either is read.",
        );
        self.etcd.add_flags(flags);
        all.group("misc")
            .add("event-ttl", &mut self.event_ttl, "How long events are kept.");
    }

    /// The backend is the one for what was given.
    pub(super) fn complete(&mut self) {
        if self.storage_backend.is_empty() {
            let backend = match (self.etcd.etcd_servers.is_empty(), &self.storage_path) {
                #[cfg(feature = "etcd3")]
                (false, _) => "etcd3",
                (_, Some(_)) => "disk",
                (_, None) => "memory",
            };
            backend.clone_into(&mut self.storage_backend);
        }
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        match self.backend() {
            #[cfg(feature = "etcd3")]
            Ok(StorageBackend::Etcd3) if self.etcd.etcd_servers.is_empty() => {
                errors.push("--etcd-servers must be specified".to_owned());
            }
            Ok(StorageBackend::Disk) if self.storage_path.is_none() => {
                errors.push("--storage-path must be specified".to_owned());
            }
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
        if MediaType::parse(&self.storage_media_type).is_none() {
            errors.push(format!(
                "--storage-media-type {} invalid, allowed values: application/json, \
                 application/vnd.kubernetes.protobuf",
                quote(&self.storage_media_type)
            ));
        }
        self.etcd.validate(errors);
    }

    fn backend(&self) -> Result<StorageBackend, String> {
        self.storage_backend.parse()
    }

    /// The backend that is used: memory where etcd is only a stand-in.
    async fn backend_in_use(&self) -> Result<StorageBackend, String> {
        let backend = self.backend()?;
        #[cfg(feature = "etcd3")]
        if backend == StorageBackend::Etcd3
            && let Some(server) = self.etcd.etcd_servers.first()
            && is_stand_in(server).await
        {
            tracing::info!("--etcd-servers is a stand-in for etcd: objects are kept in memory");
            return Ok(StorageBackend::Memory);
        }
        Ok(backend)
    }

    /// How resources are stored as these options say.
    pub(crate) async fn storage_factory(&self, clock: &Clock) -> Result<StorageFactory, AppError> {
        let backend = self.backend_in_use().await;
        let backend = backend.map_err(|error| InvalidOptions(vec![error]))?;
        let storage: Arc<dyn Storage> = match backend {
            StorageBackend::Memory => Arc::new(MemoryStorage::default()),
            StorageBackend::Disk => {
                let folder = self.storage_path.as_deref().unwrap_or(Path::new("."));
                let options = DiskOptions {
                    clock: clock.clone(),
                    ..DiskOptions::default()
                };
                Arc::new(DiskStorage::open(folder, options).await?)
            }
            #[cfg(feature = "etcd3")]
            StorageBackend::Etcd3 => self.etcd.connect(&self.etcd.etcd_servers).await?,
        };
        if matches!(backend, StorageBackend::Memory | StorageBackend::Disk) {
            compactor::start(&storage, self.etcd.etcd_compaction_interval);
        }
        let factory = StorageFactory::new(storage)
            .with_media_type(MediaType::parse(&self.storage_media_type).unwrap_or_default())
            .with_event_ttl(self.event_ttl);
        #[cfg(feature = "etcd3")]
        if backend == StorageBackend::Etcd3 {
            return Ok(self.etcd.with_overrides(factory).await?);
        }
        Ok(factory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_backends_are_refused() {
        let errors = |word: &str, servers: &[&str]| {
            let mut options = StorageOptions {
                storage_backend: word.to_owned(),
                ..StorageOptions::default()
            };
            options.etcd.etcd_servers = servers.iter().map(|server| (*server).to_owned()).collect();
            options.complete();
            let mut errors = Vec::new();
            options.validate(&mut errors);
            errors.join("\n")
        };
        assert_eq!(errors("", &[]), "");
        assert_eq!(errors("", &["http://127.0.0.1:2379"]), "");
        assert_eq!(errors("memory", &["http://127.0.0.1:2379"]), "");
        assert_eq!(errors("etcd3", &[]), "--etcd-servers must be specified");
        assert_eq!(errors("disk", &[]), "--storage-path must be specified");
        let mut wrong = Vec::new();
        let options = StorageOptions {
            storage_backend: "memory".to_owned(),
            storage_media_type: "text/plain".to_owned(),
            ..StorageOptions::default()
        };
        options.validate(&mut wrong);
        assert!(
            wrong
                .concat()
                .starts_with("--storage-media-type \"text/plain\" invalid"),
            "{wrong:?}"
        );
        for unknown in ["etcd2", "nosuch"] {
            let error = errors(unknown, &["http://127.0.0.1:2379"]);
            assert!(
                error.starts_with("--storage-backend invalid, allowed values: etcd3, "),
                "{error}"
            );
        }
    }
}
