//! The format of the files: frames with a checksum, each holding what was written at once.
//!
//! A frame is the length of its content, the CRC-32 of length and content, and the content; numbers are
//! little-endian. A frame of the log starts with the revision of its first change, the others follow without a gap.

use std::sync::Arc;

use bytes::Bytes;
use flate2::Crc;

use crate::storage::KeyValue;
use crate::storage::mvcc::{Entry, Mutation};

/// Length and checksum.
const HEAD: usize = 8;

/// Appends a frame.
pub(super) fn write(file: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let start = file.len();
    file.extend_from_slice(&[0; HEAD]);
    content(file);
    let length = u32::try_from(file.len() - start - HEAD)
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    let sum = checksum(length, file.get(start + HEAD..).unwrap_or_default());
    if let Some(head) = file.get_mut(start..start + HEAD) {
        head.copy_from_slice(&u64::to_le_bytes(
            u64::from(u32::from_le_bytes(length)) | u64::from(sum) << 32,
        ));
    }
}

/// The frame at the start of these bytes; `None` if there is no whole and sound one.
pub(super) fn read(bytes: &[u8]) -> Option<&[u8]> {
    let (length, sum) = (bytes.first_chunk::<4>()?, bytes.get(4..)?.first_chunk::<4>()?);
    let end = HEAD.checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let content = bytes.get(HEAD..end)?;
    (checksum(*length, content) == u32::from_le_bytes(*sum)).then_some(content)
}

/// How long a frame with this content is.
pub(super) fn length(content: &[u8]) -> usize {
    HEAD + content.len()
}

/// Where the revision of a frame's first change stands, to find out quickly whether there could be one.
pub(super) fn first_revision(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(HEAD..)?.first_chunk()?))
}

fn checksum(length: [u8; 4], content: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(&length);
    crc.update(content);
    crc.sum()
}

/// The content of a frame of the log.
pub(super) fn put_changes<'a>(
    content: &mut Vec<u8>,
    first_revision: u64,
    changes: impl IntoIterator<Item = &'a Mutation>,
) {
    put_number(content, first_revision);
    for change in changes {
        match &change.value {
            None => content.push(0),
            Some(_) => content.push(1),
        }
        put_bytes(content, change.key.as_bytes());
        if let Some(value) = &change.value {
            put_number(content, change.expires);
            put_bytes(content, value);
        }
    }
}

/// The changes in a frame of the log, and the revision of the first; `None` for anything else.
pub(super) fn changes(mut content: &[u8]) -> Option<(u64, Vec<Mutation>)> {
    let first = take_number(&mut content)?;
    let mut changes = Vec::new();
    while let Some((kind, rest)) = content.split_first() {
        content = rest;
        let key = take_key(&mut content)?;
        let (value, expires) = match kind {
            0 => (None, 0),
            1 => {
                let expires = take_number(&mut content)?;
                (Some(Bytes::copy_from_slice(take_bytes(&mut content)?)), expires)
            }
            _ => return None,
        };
        changes.push(Mutation { key, value, expires });
    }
    Some((first, changes))
}

/// Appends a key to the content of a frame of a snapshot.
pub(super) fn put_entry(content: &mut Vec<u8>, entry: &Entry) {
    put_number(content, entry.kv.create_revision);
    put_number(content, entry.kv.mod_revision);
    put_number(content, entry.expires);
    put_bytes(content, entry.kv.key.as_bytes());
    put_bytes(content, &entry.kv.value);
}

/// The keys in a frame of a snapshot, added to `entries`; `None` for anything else.
pub(super) fn entries(mut content: &[u8], entries: &mut Vec<Entry>) -> Option<()> {
    while !content.is_empty() {
        let (create_revision, mod_revision) = (take_number(&mut content)?, take_number(&mut content)?);
        let expires = take_number(&mut content)?;
        let key = take_key(&mut content)?;
        let value = Bytes::copy_from_slice(take_bytes(&mut content)?);
        let kv = KeyValue {
            key,
            value,
            create_revision,
            mod_revision,
        };
        entries.push(Entry { kv, expires });
    }
    Some(())
}

fn put_number(content: &mut Vec<u8>, number: u64) {
    content.extend_from_slice(&number.to_le_bytes());
}

fn put_bytes(content: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    content.extend_from_slice(&length.to_le_bytes());
    content.extend_from_slice(bytes);
}

fn take_number(content: &mut &[u8]) -> Option<u64> {
    let (number, rest) = content.split_first_chunk::<8>()?;
    *content = rest;
    Some(u64::from_le_bytes(*number))
}

fn take_bytes<'a>(content: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = content.split_first_chunk::<4>()?;
    let (bytes, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *content = rest;
    Some(bytes)
}

fn take_key(content: &mut &[u8]) -> Option<Arc<str>> {
    Some(std::str::from_utf8(take_bytes(content)?).ok()?.into())
}
