//! Snapshots: all keys as they were at one revision, so that older logs can go.

use std::io;

use super::files::Files;
use super::frame;
use super::recovery::{log_name, revision_of};
use crate::storage::mvcc::Entry;

const MAGIC: &[u8] = b"kubewire keys 1\n";
/// About how much a frame holds.
const FRAME: usize = 1 << 20;

fn name(revision: u64) -> String {
    format!("snapshot-{revision:020}")
}

/// Writes a snapshot and removes what it replaces. Returns its length.
///
/// At every moment the folder holds everything: the snapshot gets its name when it is complete, and only then
/// older files go.
pub(super) fn take(files: &dyn Files, entries: &[Entry], revision: u64) -> io::Result<usize> {
    let unfinished = format!("{}.tmp", name(revision));
    let mut file = files.create(&unfinished)?;
    file.write(MAGIC)?;
    let mut length = MAGIC.len();
    let mut buffer = Vec::with_capacity(FRAME * 2);
    let mut rest = entries.iter().peekable();
    while rest.peek().is_some() {
        frame::write(&mut buffer, |content| {
            let full = content.len() + FRAME;
            while content.len() < full
                && let Some(entry) = rest.next()
            {
                frame::put_entry(content, entry);
            }
        });
        length += buffer.len();
        file.write(&buffer)?;
        buffer.clear();
    }
    // The end is marked: a snapshot is all or nothing.
    frame::write(&mut buffer, |_| {});
    file.write(&buffer)?;
    file.sync()?;
    drop(file);
    files.rename(&unfinished, &name(revision))?;
    files.sync_names()?;
    remove_replaced(files)?;
    Ok(length + buffer.len())
}

/// Reads a snapshot; on failure the place where it is damaged.
pub(super) fn decode(bytes: &[u8], revision: u64) -> Result<Vec<Entry>, usize> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(0_usize)?;
    let mut entries = Vec::new();
    loop {
        let at = bytes.len() - rest.len();
        let content = frame::read(rest).ok_or(at)?;
        if content.is_empty() {
            let complete = rest.len() == frame::length(content);
            let fits = entries.iter().all(|entry: &Entry| entry.kv.mod_revision <= revision);
            return if complete && fits { Ok(entries) } else { Err(at) };
        }
        frame::entries(content, &mut entries).ok_or(at)?;
        rest = rest.get(frame::length(content)..).unwrap_or_default();
    }
}

/// Removes what the newest snapshot makes superfluous, and what was never finished.
pub(super) fn remove_replaced(files: &dyn Files) -> io::Result<()> {
    let names = files.list()?;
    let of = |sort: &'static str| names.iter().filter_map(move |name| revision_of(name, sort));
    let newest = of("snapshot").max().unwrap_or(1);
    // The last log that starts at or before what follows the snapshot is still needed.
    let needed = of("log").filter(|first| *first <= newest + 1).max().unwrap_or_default();
    for old in of("log").filter(|first| *first < needed) {
        files.remove(&log_name(old))?;
    }
    for old in of("snapshot").filter(|revision| *revision < newest) {
        files.remove(&name(old))?;
    }
    for unfinished in names.iter().filter(|name| name.ends_with(".tmp")) {
        files.remove(unfinished)?;
    }
    files.sync_names()
}
