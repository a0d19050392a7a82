//! Writing kubeconfig files: whole ones, and new tokens into one.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, io};

use super::environment::read_text;
use super::kubeconfig::Origin;
use super::{AuthProvider, ConfigError, Kubeconfig, Secret};

/// How often a lock that somebody else holds is looked at, and for how long.
const LOCK_RETRY: Duration = Duration::from_millis(20);
const LOCK_TRIES: usize = 50;

impl Kubeconfig {
    /// Writes the YAML to `path`, readable by the owner only. A reader sees the old content or the new, never a part.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), ConfigError> {
        let path = path.as_ref();
        let yaml = self.to_yaml()?;
        replace_file(path, yaml.as_bytes()).map_err(|error| not_written(path, error))
    }
}

impl Origin {
    /// The settings that the file has now for the user's auth provider; `None` where the entry is gone.
    pub(super) fn auth_provider(&self) -> Result<Option<BTreeMap<String, Secret>>, ConfigError> {
        Ok(self.find(&mut self.read()?).map(|provider| provider.config.clone()))
    }

    /// Replaces the settings of the user's auth provider, if the file still has the entry. Other writers that lock the
    /// file as client-go does are waited for. Blocks.
    pub(super) fn set_auth_provider(&self, config: &BTreeMap<String, Secret>) -> Result<(), ConfigError> {
        let _lock = Lock::take(&self.file).map_err(|error| not_written(&self.file, error))?;
        let mut kubeconfig = self.read()?;
        match self.find(&mut kubeconfig) {
            Some(provider) => provider.config.clone_from(config),
            None => return Ok(()),
        }
        kubeconfig.write(&self.file)
    }

    /// The file as it is: relative paths stay relative.
    fn read(&self) -> Result<Kubeconfig, ConfigError> {
        let text = read_text("kubeconfig", &self.file)?;
        Kubeconfig::parse(&text, &self.file.display().to_string())
    }

    fn find<'a>(&self, kubeconfig: &'a mut Kubeconfig) -> Option<&'a mut AuthProvider> {
        let entry = kubeconfig.users.iter_mut().find(|entry| entry.name == self.user)?;
        entry.user.auth_provider.as_mut()
    }
}

/// The file `<kubeconfig>.lock`, by which kubectl and we keep out of each other's way.
struct Lock(PathBuf);

impl Lock {
    fn take(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let mut tries = 1..LOCK_TRIES;
        loop {
            match fs::OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries.next().is_some() => {
                    std::thread::sleep(LOCK_RETRY);
                }
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("lock {}: {error}", lock.display()),
                    ));
                }
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(lock = %self.0.display(), %error, "the lock of a kubeconfig is left behind");
        }
    }
}

fn not_written(path: &Path, source: io::Error) -> ConfigError {
    ConfigError::Write {
        what: "kubeconfig",
        path: path.to_owned(),
        source,
    }
}

fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);

    // A link stays a link: the file it points to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let suffix = format!(
        ".{}-{}.tmp",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    );
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(suffix);
    let temporary = path.with_file_name(temporary);

    let written = write_private(&temporary, content).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
