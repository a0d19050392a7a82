//! Opening: the newest snapshot, then the logs behind it, and a clear error for anything that does not fit.

use std::io;

use super::files::Files;
use super::frame;
use super::snapshot;
use crate::storage::mvcc::{Limits, Mvcc};

/// What a file of the log starts with.
pub(super) const LOG_MAGIC: &[u8] = b"kubewire log 1\n\0";

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error("{0} is in use by another process")]
    InUse(String),
    /// A file cannot be read or written.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A file is not as it was written. Nothing was changed; put back a copy of the folder, or remove the folder to
    /// start with nothing.
    #[error("{file} is damaged at byte {at}: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// Where.
        at: usize,
        /// What is wrong.
        what: String,
    },
}

impl OpenError {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    fn damaged(file: &str, at: usize, what: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.to_owned(),
            at,
            what: what.into(),
        }
    }
}

/// What was found.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) mvcc: Mvcc,
    /// The last log and how much of it is sound; `None` in a new folder.
    pub(super) log: Option<(String, usize)>,
    /// How long the newest snapshot is.
    pub(super) snapshot_length: usize,
}

pub(super) fn log_name(first_revision: u64) -> String {
    format!("log-{first_revision:020}")
}

/// The revision in the name of a file of this sort.
pub(super) fn revision_of(name: &str, sort: &str) -> Option<u64> {
    name.strip_prefix(sort)?.strip_prefix('-')?.parse().ok()
}

/// Reads everything; changes nothing.
pub(super) fn recover(files: &dyn Files, limits: Limits) -> Result<Recovered, OpenError> {
    let mut names = files.list().map_err(OpenError::io("list the files"))?;
    names.sort();
    let of = |sort| {
        names
            .iter()
            .filter_map(move |name| Some((revision_of(name, sort)?, name.clone())))
    };
    let (mut entries, mut start, mut snapshot_length) = (Vec::new(), 1, 0);
    if let Some((revision, name)) = of("snapshot").next_back() {
        let bytes = read(files, &name)?;
        entries = snapshot::decode(&bytes, revision).map_err(|at| OpenError::damaged(&name, at, "no snapshot"))?;
        (start, snapshot_length) = (revision, bytes.len());
    }
    let mvcc = Mvcc::restore(limits, entries, start);
    let logs: Vec<(u64, String)> = of("log").collect();
    // The first log that can hold something newer than the snapshot.
    let first = logs
        .iter()
        .rposition(|(first, _)| *first <= start + 1)
        .unwrap_or_default();
    let mut log = None;
    for (index, (first, name)) in logs.iter().enumerate().skip(first) {
        no_gap(&mvcc, name, 0, *first)?;
        let sound = replay(&mvcc, name, &read(files, name)?, index + 1 == logs.len())?;
        log = Some((name.clone(), sound));
    }
    Ok(Recovered {
        mvcc,
        log,
        snapshot_length,
    })
}

fn read(files: &dyn Files, name: &str) -> Result<Vec<u8>, OpenError> {
    files.read(name).map_err(OpenError::io(format!("read {name}")))
}

/// Makes the changes of a log that are not made yet. Returns how much of the file is sound, which is less than all
/// only in the last one: what was being written when the power went out was never acknowledged.
fn replay(mvcc: &Mvcc, name: &str, bytes: &[u8], is_last: bool) -> Result<usize, OpenError> {
    let mut rest = bytes
        .strip_prefix(LOG_MAGIC)
        .ok_or_else(|| OpenError::damaged(name, 0, "it is no log"))?;
    let at = |rest: &[u8]| bytes.len() - rest.len();
    while !rest.is_empty() {
        let Some(content) = frame::read(rest) else {
            if !is_last || sound_frame_follows(rest, mvcc.revision()) {
                return Err(OpenError::damaged(name, at(rest), "the checksum does not fit"));
            }
            tracing::warn!(
                log = name,
                at = at(rest),
                bytes = rest.len(),
                "an unfinished write at the end of the log is dropped"
            );
            break;
        };
        let Some((first, changes)) = frame::changes(content) else {
            return Err(OpenError::damaged(name, at(rest), "no changes"));
        };
        no_gap(mvcc, name, at(rest), first)?;
        let known = usize::try_from(mvcc.revision() + 1 - first).unwrap_or(usize::MAX);
        mvcc.commit(changes.into_iter().skip(known));
        rest = rest.get(frame::length(content)..).unwrap_or_default();
    }
    Ok(at(rest))
}

/// Fails where changes before this one are missing.
fn no_gap(mvcc: &Mvcc, name: &str, at: usize, first: u64) -> Result<(), OpenError> {
    let next = mvcc.revision() + 1;
    match first > next {
        true => {
            let what = format!("the changes {next} to {} are missing", first - 1);
            Err(OpenError::damaged(name, at, what))
        }
        false => Ok(()),
    }
}

/// Whether there is a later write behind a broken one, so that the broken one was finished once.
fn sound_frame_follows(broken: &[u8], revision: u64) -> bool {
    let longest = revision.saturating_add(u64::try_from(broken.len()).unwrap_or(u64::MAX));
    (1..broken.len()).any(|start| {
        let candidate = broken.get(start..).unwrap_or_default();
        let plausible = frame::first_revision(candidate).is_some_and(|first| first > revision && first <= longest);
        plausible && frame::read(candidate).and_then(frame::changes).is_some()
    })
}
