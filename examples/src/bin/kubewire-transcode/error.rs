//! What is wrong with an input, in words for the person at the terminal.

use std::fmt;
use std::path::PathBuf;

use kubewire_client::wire::WireError;

/// Of a longer path only the end is shown.
const LONGEST_PATH: usize = 200;

/// Why an input has no output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read it: {0}")]
    Read(std::io::Error),
    #[error("cannot write {}: {source}", file.display())]
    Write { file: PathBuf, source: std::io::Error },
    #[error("{} would be overwritten: it is {whose}", file.display())]
    Occupied { file: PathBuf, whose: &'static str },
    #[error("{0}")]
    Broken(Broken),
    #[error("there is nothing in it")]
    Empty,
    #[error("neither a Kubernetes object in protobuf (that begins with k8s\\0), nor JSON, nor YAML{hint}")]
    Unrecognized { hint: &'static str },
    #[error(
        "encrypted at rest by provider {provider:?}: only an API server that has the key of its encryption \
         configuration can read it"
    )]
    Encrypted { provider: String },
    #[error("{what} without {missing}: name its type with --type, such as --type v1/Pod")]
    NoType { what: &'static str, missing: &'static str },
    #[error("{count} objects do not fit into one {format}: each needs an input of its own")]
    Several { count: usize, format: &'static str },
    #[error("{key}: {source}")]
    Key { key: String, source: Box<Error> },
}

/// Input that cannot be read, and where.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    pub(crate) offset: Option<usize>,
    /// Of YAML, the line, from 1.
    pub(crate) line: Option<usize>,
    pub(crate) path: String,
    pub(crate) reason: String,
}

impl Broken {
    /// The same, of input that begins at `start` of what encloses it.
    pub(crate) fn after(mut self, start: usize) -> Self {
        self.offset = self.offset.map(|offset| start + offset);
        self
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(offset) = self.offset {
            write!(f, "byte {offset}")?;
            match self.line {
                Some(line) => write!(f, " (line {line}): ")?,
                None => f.write_str(": ")?,
            }
        }
        match self.path.char_indices().nth_back(LONGEST_PATH) {
            Some((start, _)) => write!(f, "…{}: ", self.path.get(start..).unwrap_or_default())?,
            None if self.path.is_empty() => {}
            None => write!(f, "{}: ", self.path)?,
        }
        f.write_str(&self.reason)
    }
}

impl From<WireError> for Broken {
    fn from(error: WireError) -> Self {
        Self {
            offset: error.offset(),
            line: None,
            path: error.path().to_owned(),
            reason: match error {
                WireError::Truncated { .. } => "truncated protobuf".to_owned(),
                WireError::Invalid { reason, .. } => format!("invalid protobuf: {reason}"),
                WireError::Field { reason, .. } | WireError::Value { reason, .. } => reason,
                error => error.to_string(),
            },
        }
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::Broken(error.into())
    }
}
