//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use kubewire_client::wire::Encoding;
use kubewire_informers::CacheFormat;

/// Measures an informer of pods against a server that has them.
///
/// With --churn the server must answer `POST /control/churn?events=M`: it sends M changes on the open watch, and then
/// a new pod with a label `sentinel`.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The server, such as https://127.0.0.1:6443.
    #[arg(long)]
    pub(crate) url: String,
    /// The certificate authority of the server.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// How many pods the server has.
    #[arg(long)]
    pub(crate) n: usize,
    /// How the pods are read first.
    #[arg(long, value_enum, default_value_t = Mode::List)]
    pub(crate) mode: Mode,
    /// What the server is to send.
    #[arg(long, value_enum, default_value_t = Format::Protobuf)]
    pub(crate) encoding: Format,
    /// How the cache keeps the pods.
    #[arg(long, value_enum, default_value_t = Cache::Lazy)]
    pub(crate) cache: Cache,
    /// Have the handler read the whole object instead of its name, namespace, version and labels.
    #[arg(long)]
    pub(crate) read_object: bool,
    /// Drop managedFields.
    #[arg(long)]
    pub(crate) strip: bool,
    /// Use HTTP/1.1.
    #[arg(long)]
    pub(crate) http1: bool,
    /// How many changes to follow after the first list.
    #[arg(long, value_name = "M")]
    pub(crate) churn: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// A list, and then a watch.
    List,
    /// A watch that begins with the initial state.
    Watchlist,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Protobuf,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cache {
    Lazy,
    Compact,
    Compressed,
    Decoded,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Watchlist => "watchlist",
        }
    }
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Protobuf => "protobuf",
            Self::Json => "json",
        }
    }
}

impl From<Format> for Encoding {
    fn from(format: Format) -> Self {
        match format {
            Format::Protobuf => Self::Protobuf,
            Format::Json => Self::Json,
        }
    }
}

impl From<Cache> for CacheFormat {
    fn from(cache: Cache) -> Self {
        match cache {
            Cache::Lazy => Self::Lazy,
            Cache::Compact => Self::Compact,
            Cache::Compressed => Self::Compressed,
            Cache::Decoded => Self::Decoded,
        }
    }
}
