//! The store behind an informer and the read access to it.
//!
//! The contract. Each sentence has a number, by which the test names it that proves it.
//! - **C1** An entry ([`CachedObject`]) is one state of an object, and never another one: a newer state is a new entry,
//!   and whoever holds an old one keeps it.
//! - **C2** Name, namespace, uid, version, labels and annotations are read without decoding the object. **C3** When the
//!   rest is decoded, and whether bytes or the decoded object are kept, is up to the [`CacheFormat`].
//! - **C4** Managed fields are left out unless they are asked for.
//! - **C5** Everybody but the informer reads through a [`Lister`]: by key, namespace, selector and index.
//! - **C6** Every read sees one state of the whole store: a list response replaces the content in one step, so no
//!   reader ever meets a half-filled store.
//! - **C7** Indices change together with the objects. **C8** The index over namespaces ([`NAMESPACE_INDEX`]) is always
//!   there.
//! - **C9** An entry does not keep alive the response that it came with: memory is what the objects take.

mod body;
mod by_key;
mod format;
mod head;
mod indexer;
mod lister;
mod object;
mod objects;
#[cfg(feature = "zstd")]
mod packed;
#[cfg(test)]
mod tests;

pub(crate) use by_key::ByKey;
pub use format::CacheFormat;
pub use indexer::{IndexError, Indexer, NAMESPACE_INDEX};
pub use lister::{Lister, NamespaceLister};
pub use object::{CachedObject, DecodeError, EntryOptions};
pub(crate) use objects::Objects;
#[cfg(feature = "zstd")]
pub(crate) use packed::Packer;
