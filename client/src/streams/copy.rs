//! Files and folders in and out of containers, as `kubectl cp` copies them: by `tar` in the container.

use std::fs::{self, File, Permissions};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::{Either, select};
use k8s_openapi::api::core::v1::Pod;
use tar::{Archive, Builder, Entry, EntryType};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::io::SyncIoBridge;

use super::process::{ExitStatus, Process, ProcessOptions};
use crate::api::Api;
use crate::error::{Doing, Error};

/// How much of what `tar` complains about is kept.
const MAX_COMPLAINT: usize = 4 << 10;
/// What GNU tar reads at once: behind an archive it must find as much, where the end of its input cannot be told.
const RECORD: usize = 10 << 10;

/// What to copy from or to.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Container. Default: the only one, or the one that the pod's annotation names.
    pub container: Option<String>,
}

impl CopyOptions {
    /// Chooses one of several containers.
    #[must_use]
    pub fn with_container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    fn process(&self) -> ProcessOptions {
        ProcessOptions {
            container: self.container.clone(),
            ..ProcessOptions::default()
        }
    }
}

/// What came out of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What was left out: links, which could lead anywhere, devices and the like.
    pub skipped: Vec<PathBuf>,
}

impl Api<Pod> {
    /// Copies a file or a folder of this machine to the path `to` in a container; with a slash at its end, into that
    /// folder.
    ///
    /// Permissions and modification times are kept, and owners where the container's user is root; links stay links.
    /// The container must have `tar`. Dropping the future ends the copying; what has arrived stays.
    ///
    /// ```no_run
    /// # async fn example(pods: kubewire_client::Api<k8s_openapi::api::core::v1::Pod>) -> Result<(), kubewire_client::Error> {
    /// use kubewire_client::streams::CopyOptions;
    ///
    /// pods.copy_to("web-0", "site", "/var/www/", &CopyOptions::default()).await?; // /var/www/site
    /// let copied = pods.copy_from("web-0", "/var/log/web", "logs", &CopyOptions::default()).await?;
    /// println!("{} files", copied.files);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy_to(
        &self,
        name: &str,
        from: impl AsRef<Path>,
        to: &str,
        options: &CopyOptions,
    ) -> Result<(), Error> {
        let from = from.as_ref().to_owned();
        let doing = self.doing(name, format_args!("copy {} to {to:?} in", from.display()));
        let target = if to.ends_with('/') {
            let own_name = from.file_name().and_then(|name| name.to_str());
            own_name.map(|base| (to.to_owned(), base))
        } else {
            split(to)
        };
        let (folder, base) = target.ok_or_else(|| Error::invalid(&doing, "there is no name for the copy"))?;
        let command = ["tar", "-x", "-p", "-f", "-", "-C", &folder];
        let mut tar = self.exec(name, &command, &options.process().with_stdin()).await?;
        let (Some(stdin), Some(stderr)) = (tar.stdin(), tar.stderr()) else {
            return Err(Error::invalid(&doing, "the streams are not connected"));
        };
        let base = base.to_owned();
        let sending = spawn_blocking(move || pack(&from, &base, stdin));
        both(sending, tar, stderr, doing).await
    }

    /// Copies a file or a folder of a container to the path `to` of this machine, or into it where it is a folder.
    ///
    /// Permissions and modification times are kept; owners are not, and links are left out. Names that lead out of
    /// the copy are an error. The container must have `tar`. Dropping the future ends the copying, and so does an
    /// error; what has arrived stays.
    pub async fn copy_from(
        &self,
        name: &str,
        from: &str,
        to: impl AsRef<Path>,
        options: &CopyOptions,
    ) -> Result<Copied, Error> {
        let mut to = to.as_ref().to_owned();
        let doing = self.doing(name, format_args!("copy {from:?} to {} from", to.display()));
        let Some((folder, base)) = split(from) else {
            return Err(Error::invalid(&doing, "there is nothing of that name"));
        };
        if to.is_dir() {
            to.push(base);
        }
        // No name is taken for an option.
        let what = format!("./{base}");
        let command = ["tar", "-c", "-f", "-", "-C", &folder, &what];
        let mut tar = self.exec(name, &command, &options.process()).await?;
        let (Some(stdout), Some(stderr)) = (tar.stdout(), tar.stderr()) else {
            return Err(Error::invalid(&doing, "the streams are not connected"));
        };
        let base = base.to_owned();
        let receiving = spawn_blocking(move || unpack(stdout, &base, &to));
        both(receiving, tar, stderr, doing).await
    }

    fn doing(&self, name: &str, words: std::fmt::Arguments<'_>) -> Doing {
        let pod = self.endpoint().path.describe(Some(name), None);
        format!("{words} {pod}").into()
    }
}

/// Waits for both ends of a copy: ours, and `tar` in the container.
async fn both<T>(
    ours: JoinHandle<io::Result<T>>,
    tar: Process,
    stderr: impl AsyncRead + Unpin,
    doing: Doing,
) -> Result<T, Error> {
    // The task fails only where the runtime is shutting down.
    let ours = ours.map(|done| done.unwrap_or_else(|error| Err(io::Error::other(error))));
    let theirs = async {
        let (exit, complaint) = tokio::join!(tar.wait(), complaint(stderr));
        judge(&doing, &exit?, &complaint)
    };
    let done = match select(ours, std::pin::pin!(theirs)).await {
        Either::Left((Err(error), _)) if !is_broken_off(&error) => Err(error),
        // Where tar ended early, it knows best why.
        Either::Left((done, theirs)) => theirs.await.map(|()| done)?,
        Either::Right((ended, ours)) => {
            ended?;
            ours.await
        }
    };
    done.map_err(|error| Error::io(doing, error))
}

fn is_broken_off(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof)
}

/// The folder and the name of a path in a container.
fn split(path: &str) -> Option<(String, &str)> {
    let path = path.trim_end_matches('/');
    let (folder, base) = path.rsplit_once('/').unwrap_or((".", path));
    let folder = if folder.is_empty() { "/" } else { folder };
    (!matches!(base, "" | "." | "..")).then(|| (folder.to_owned(), base))
}

/// Writes an archive of one file or folder.
fn pack(from: &Path, base: &str, stdin: impl AsyncWrite + Unpin) -> io::Result<()> {
    let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", from.display()));
    let mut archive = Builder::new(SyncIoBridge::new(stdin));
    archive.follow_symlinks(false);
    if fs::symlink_metadata(from).map_err(at)?.is_dir() {
        archive.append_dir_all(base, from)?;
    } else {
        archive.append_path_with_name(from, base)?;
    }
    let mut stdin = archive.into_inner()?;
    // tar may end once it has the whole archive.
    io::Write::write_all(&mut stdin, &[0; RECORD]).ok();
    stdin.shutdown().ok();
    Ok(())
}

/// Reads an archive of `base`, which becomes `to`.
fn unpack(stdout: impl AsyncRead + Unpin, base: &str, to: &Path) -> io::Result<Copied> {
    let mut copied = Copied::default();
    // Writing into a folder changes its time, and its permissions may forbid it.
    let mut folders = Vec::new();
    let mut archive = Archive::new(SyncIoBridge::new(stdout));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let place = place(&path, base, to)?;
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", place.display()));
        match entry.header().entry_type() {
            EntryType::Directory => {
                fs::create_dir_all(&place).map_err(at)?;
                folders.push((place, entry.header().mode()?, entry.header().mtime()?));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                copied.bytes += write(&mut entry, &place).map_err(at)?;
                copied.files += 1;
            }
            _ => copied.skipped.push(path),
        }
    }
    for (place, mode, modified) in folders.iter().rev() {
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", place.display()));
        stamp(&File::open(place).map_err(at)?, *mode, *modified).map_err(at)?;
    }
    Ok(copied)
}

/// Where an entry goes. The archive is made by a program that somebody else may have put there.
fn place(path: &Path, base: &str, to: &Path) -> io::Result<PathBuf> {
    let outside = || {
        let words = format!("the archive holds {}, which is no part of {base:?}", path.display());
        io::Error::new(io::ErrorKind::InvalidData, words)
    };
    let mut parts = path.components().filter(|part| *part != Component::CurDir);
    if parts.next() != Some(Component::Normal(base.as_ref())) {
        return Err(outside());
    }
    let mut place = to.to_owned();
    for part in parts {
        match part {
            Component::Normal(name) => place.push(name),
            _ => return Err(outside()),
        }
    }
    Ok(place)
}

fn write(entry: &mut Entry<'_, impl io::Read>, place: &Path) -> io::Result<u64> {
    let (mode, modified) = (entry.header().mode()?, entry.header().mtime()?);
    let mut file = File::create(place)?;
    let length = io::copy(entry, &mut file)?;
    stamp(&file, mode, modified)?;
    Ok(length)
}

/// Permissions, without those of acting as the owner, and the time of the last change.
fn stamp(file: &File, mode: u32, modified: u64) -> io::Result<()> {
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(modified))?;
    #[cfg(unix)]
    file.set_permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(
        mode & 0o777,
    ))?;
    #[cfg(not(unix))]
    let _ = (mode, Permissions::set_readonly);
    Ok(())
}

/// The beginning of what a program complains about; the rest is read, or the program would wait.
async fn complaint(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    // What cannot be read is not there.
    (&mut stderr)
        .take(MAX_COMPLAINT as u64)
        .read_to_end(&mut text)
        .await
        .ok();
    tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await.ok();
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn judge(doing: &Doing, exit: &ExitStatus, complaint: &str) -> Result<(), Error> {
    if exit.is_success() {
        return Ok(());
    }
    let said = exit.status.message.as_deref().unwrap_or_default();
    let is_missing =
        |words: &str| words.contains("executable file not found") || words.contains("no such file or directory");
    let reason = match (exit.code, complaint) {
        (None | Some(126 | 127), words) if is_missing(said) || is_missing(words) || exit.code == Some(127) => {
            "the container has no program \"tar\", by which files are copied".to_owned()
        }
        (_, "") => said.to_owned(),
        (_, words) => words.to_owned(),
    };
    Err(Error::invalid(doing, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split() {
        assert_eq!(split("/a/b/"), Some(("/a".to_owned(), "b")));
        assert_eq!(split("/a"), Some(("/".to_owned(), "a")));
        assert_eq!(split("a"), Some((".".to_owned(), "a")));
        for nothing in ["", "/", "..", "/a/..", "/a/."] {
            assert_eq!(split(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn nothing_leads_out_of_a_copy() {
        let place = |path: &str| place(Path::new(path), "b", Path::new("/to"));
        assert_eq!(place("./b").unwrap(), Path::new("/to"));
        assert_eq!(place("b/c/./d").unwrap(), Path::new("/to/c/d"));
        for outside in ["", "a", "/b", "../b", "b/../../etc", "./b/..", "b/c/../d"] {
            assert!(place(outside).is_err(), "{outside}");
        }
    }
}
