//! The command line.

use std::fmt;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::types::ObjectType;

/// Kubernetes objects from one encoding into another: protobuf, as in etcd and on the wire, JSON and YAML.
///
/// An object of a built-in kind comes out as an API server would hold it: quantities and times in canonical form,
/// fields that its type does not have are left out with a warning. Custom resources pass through as they are.
///
/// What fails is reported with the byte and the field, the rest is still done, and the exit status is 1.
#[derive(Debug, Parser)]
#[command(name = "kubewire-transcode", version)]
pub(crate) struct Args {
    /// What to read; `-` or nothing is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What the input is. Without it every input is looked at: an object behind `k8s\0` (also in hexadecimal or
    /// base64), an etcd value as etcdctl prints it (also with -w json), JSON, or YAML of many documents.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) from: Option<Source>,
    /// What to write.
    #[arg(long, value_name = "FORMAT", default_value_t = Target::Json)]
    pub(crate) to: Target,
    /// The type of input that does not say it: a kind, as v1/Pod or apps/v1/Deployment, or a message, as
    /// core.v1.PodSpec, which is read and written without an envelope.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) object_type: Option<ObjectType>,
    /// From protobuf to protobuf, write the fields too that the type does not have, as they are.
    #[arg(long)]
    pub(crate) keep_unknown: bool,
    /// Write one file per input into this folder, named by the stem of the input and the format.
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,
}

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    Protobuf,
    Json,
    Yaml,
    /// Protobuf as text.
    Hex,
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    Json,
    Yaml,
    Protobuf,
    /// Protobuf as text.
    Hex,
}

/// The name on the command line, and the extension of files.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Protobuf => "protobuf",
            Self::Hex => "hex",
        })
    }
}
