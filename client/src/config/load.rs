//! Kubeconfig files: reading with paths made absolute, and merging by client-go's rules.

use std::path::{Path, PathBuf};

use super::environment::{Environment, read_text};
use super::kubeconfig::Origin;
use super::{ConfigError, Kubeconfig};

impl Kubeconfig {
    /// The files of `KUBECONFIG` merged, or `~/.kube/config`; files that do not exist are passed over, so that the
    /// result may be empty.
    ///
    /// The first file to define a cluster, user or context of a name wins, entirely; so does the first non-empty
    /// `current-context`.
    pub fn load() -> Result<Self, ConfigError> {
        Environment::of_process().kubeconfig()
    }

    /// Reads one file. Relative paths in it are taken from the file's folder.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = read_text("kubeconfig", path)?;
        let mut kubeconfig = Self::parse(&text, &path.display().to_string())?;
        kubeconfig.resolve_paths(&folder_of(path));
        for entry in &mut kubeconfig.users {
            entry.user.origin = Some(Origin {
                file: path.to_owned(),
                user: entry.name.clone(),
            });
        }
        Ok(kubeconfig)
    }

    /// Adds what `next` has and `self` has not.
    #[must_use]
    pub fn merge(mut self, next: Self) -> Self {
        add_missing(&mut self.clusters, next.clusters, |entry| &entry.name);
        add_missing(&mut self.users, next.users, |entry| &entry.name);
        add_missing(&mut self.contexts, next.contexts, |entry| &entry.name);
        add_missing(&mut self.extensions, next.extensions, |entry| &entry.name);
        self.current_context = self.current_context.or(next.current_context);
        self
    }

    /// True where nothing is defined.
    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty() && self.users.is_empty() && self.contexts.is_empty() && self.current_context.is_none()
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let clusters = self.clusters.iter_mut().map(|entry| &mut entry.cluster);
        let users = self.users.iter_mut().map(|entry| &mut entry.user);
        let files = clusters
            .map(|cluster| &mut cluster.certificate_authority)
            .chain(users.flat_map(|user| {
                if let Some(exec) = &mut user.exec {
                    exec.command = resolve_command(folder, &exec.command);
                }
                [&mut user.client_certificate, &mut user.client_key, &mut user.token_file]
            }));
        for path in files.flatten() {
            *path = folder.join(&*path);
        }
    }
}

fn add_missing<T>(entries: &mut Vec<T>, next: Vec<T>, name: impl Fn(&T) -> &String) {
    for entry in next {
        if !entries.iter().any(|known| name(known) == name(&entry)) {
            entries.push(entry);
        }
    }
}

/// A bare name is left to `PATH`.
fn resolve_command(folder: &Path, command: &str) -> String {
    if command.contains(std::path::MAIN_SEPARATOR) {
        folder.join(command).to_string_lossy().into_owned()
    } else {
        command.to_owned()
    }
}

fn folder_of(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.parent().map(Path::to_owned).unwrap_or_default()
}
