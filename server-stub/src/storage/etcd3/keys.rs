//! Keys as they are in etcd.

use std::sync::Arc;

use super::{messages, revision};
use crate::storage::KeyValue;

/// What all keys start with.
pub(super) const ROOT: &str = "/registry";

/// Puts another root in place of `/registry`.
#[derive(Debug)]
pub(super) struct Keys {
    root: Option<String>,
}

impl Keys {
    pub(super) fn new(root: &str) -> Self {
        let root = (root != ROOT).then(|| root.to_owned());
        Self { root }
    }

    /// A key as etcd has it.
    pub(super) fn etcds(&self, key: &str) -> Vec<u8> {
        match (&self.root, key.strip_prefix(ROOT)) {
            (Some(root), Some(rest)) => format!("{root}{rest}").into_bytes(),
            _ => key.into(),
        }
    }

    /// A key of etcd as we have it; only texts are keys of ours.
    pub(super) fn ours(&self, key: Vec<u8>) -> Option<Arc<str>> {
        let key = String::from_utf8(key).ok()?;
        match self.root.as_ref().and_then(|root| key.strip_prefix(root.as_str())) {
            Some(rest) => Some(format!("{ROOT}{rest}").into()),
            None => Some(key.into()),
        }
    }

    pub(super) fn key_value(&self, kv: messages::KeyValue) -> Option<KeyValue> {
        Some(KeyValue {
            key: self.ours(kv.key)?,
            value: kv.value.into(),
            create_revision: revision(kv.create_revision),
            mod_revision: revision(kv.mod_revision),
        })
    }
}

/// Where a prefix ends: the first key behind all that start with it.
pub(super) fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    // No byte of a text is 255.
    match end.last_mut() {
        Some(last) => *last = last.saturating_add(1),
        None => end.push(0),
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_root() {
        let keys = Keys::new("/test/one");
        assert_eq!(keys.etcds("/registry/pods/a"), b"/test/one/pods/a");
        assert_eq!(
            keys.ours(b"/test/one/pods/a".to_vec()).as_deref(),
            Some("/registry/pods/a")
        );
        let same = Keys::new("/registry");
        assert_eq!(same.etcds("/registry/pods/a"), b"/registry/pods/a");
        assert_eq!(same.ours(vec![255]), None);
        assert_eq!(prefix_end(b"/a/"), b"/a0");
    }
}
