//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Informers at work: a small shop is loaded into a cluster and keeps changing, and you watch what informers for
/// its kinds see, over uncompressed protobuf.
///
/// Without a cluster, the kubewire server runs inside this program.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// End after this long, such as 3s, 2m or 500ms; without it, Ctrl-C ends the program.
    #[arg(long, value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Use the cluster of this kubeconfig instead of an embedded server.
    #[arg(long, value_name = "FILE", conflicts_with = "current_context")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Use the current context of your kubeconfig instead of an embedded server.
    #[arg(long)]
    pub(crate) current_context: bool,
    /// The folder with the shop's manifests.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests"))]
    pub(crate) manifests: PathBuf,
    /// Time between two changes to the shop.
    #[arg(long, value_parser = duration, default_value = "40ms")]
    pub(crate) every: Duration,
    /// How often handlers get a sync for every object in the cache; 0s switches it off.
    #[arg(long, value_parser = duration, default_value = "10m")]
    pub(crate) resync: Duration,
    /// Print plain lines even on a terminal.
    #[arg(long)]
    pub(crate) plain: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is not a duration such as 3s or 500ms"))?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(format!("{text:?} needs a unit: ms, s, m or h")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{text:?} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        assert_eq!(duration("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "3", "s", "-1s", "3 s", "1e400s", "99999999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
