//! What is made from files, such as certificates, and made again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How often files are looked at, at most: whoever asks in between gets what there is.
const INTERVAL: Duration = Duration::from_secs(1);

/// A value made from the contents of files. What is asked for after a file changed is made from the new content; as
/// long as that is not fit for use, the value stays as it was.
pub struct DynamicFiles<T> {
    paths: Vec<PathBuf>,
    make: Box<Make<T>>,
    state: Mutex<State<T>>,
}

/// Makes a value from the contents of the files.
type Make<T> = dyn Fn(&[Vec<u8>]) -> Result<T, MakeError> + Send + Sync;

/// Why a value cannot be made from the contents of its files.
pub type MakeError = Box<dyn std::error::Error + Send + Sync>;

/// Files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DynamicFilesError {
    /// A file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The content is of no use.
    #[error("use {}", shown(.paths))]
    Content {
        /// The files.
        paths: Vec<PathBuf>,
        /// Why.
        source: MakeError,
    },
}

struct State<T> {
    value: Arc<T>,
    checked: Instant,
    stamps: Vec<Option<Stamp>>,
}

/// What tells one content of a file from the next without reading it.
type Stamp = (SystemTime, u64);

impl<T> DynamicFiles<T> {
    /// Reads the files and makes the first value.
    pub fn new(
        paths: Vec<PathBuf>,
        make: impl Fn(&[Vec<u8>]) -> Result<T, MakeError> + Send + Sync + 'static,
    ) -> Result<Self, DynamicFilesError> {
        let stamps = stamps(&paths);
        let value = Arc::new(made(&paths, &make)?);
        Ok(Self {
            paths,
            make: Box::new(make),
            state: Mutex::new(State {
                value,
                checked: Instant::now(),
                stamps,
            }),
        })
    }

    /// A value that stays.
    pub fn fixed(value: T) -> Self {
        Self {
            paths: Vec::new(),
            make: Box::new(|_| Err("there are no files".into())),
            state: Mutex::new(State {
                value: Arc::new(value),
                checked: Instant::now(),
                stamps: Vec::new(),
            }),
        }
    }

    /// The value of the files as they are now, or were within the last second.
    pub fn get(&self) -> Arc<T> {
        let mut state = self.state.lock();
        if self.paths.is_empty() || state.checked.elapsed() < INTERVAL {
            return state.value.clone();
        }
        state.checked = Instant::now();
        let stamps = stamps(&self.paths);
        if stamps != state.stamps {
            // Two files that belong together are seldom written at the same moment: the next look has both.
            match made(&self.paths, &self.make) {
                Ok(value) => {
                    tracing::info!(files = %shown(&self.paths), "read again");
                    (state.value, state.stamps) = (Arc::new(value), stamps);
                }
                Err(error) => tracing::warn!(%error, cause = ?std::error::Error::source(&error), "changed files"),
            }
        }
        state.value.clone()
    }
}

fn made<T>(paths: &[PathBuf], make: impl Fn(&[Vec<u8>]) -> Result<T, MakeError>) -> Result<T, DynamicFilesError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| DynamicFilesError::Read {
            path: path.clone(),
            source,
        })
    };
    let contents = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    make(&contents).map_err(|source| DynamicFilesError::Content {
        paths: paths.to_owned(),
        source,
    })
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.iter().map(stamp).collect()
}

fn shown(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path: &PathBuf| Path::display(path).to_string())
        .collect();
    paths.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_value_follows_the_file_while_it_is_fit_for_use() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| std::fs::write(file.path(), text).unwrap();
        let number = |contents: &[Vec<u8>]| Ok(std::str::from_utf8(&contents[0])?.parse::<u32>()?);
        write("nonsense");
        let error = DynamicFiles::new(vec![file.path().to_owned()], number).err().unwrap();
        assert!(error.to_string().starts_with("use /"), "{error}");
        write("1");
        let files = DynamicFiles::new(vec![file.path().to_owned()], number).unwrap();
        write("22");
        assert_eq!(*files.get(), 1);
        tokio::time::advance(INTERVAL).await;
        assert_eq!(*files.get(), 22);
        write("nonsense");
        tokio::time::advance(INTERVAL).await;
        assert_eq!(*files.get(), 22);
        write("333");
        tokio::time::advance(INTERVAL).await;
        assert_eq!(*files.get(), 333);
        assert_eq!(*DynamicFiles::fixed(4).get(), 4);
    }
}
