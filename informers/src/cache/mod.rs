//! The store behind an informer and the read access to it.
//!
//! The contract:
//! - An entry ([`CachedObject`]) is one state of an object, and never another one: a newer state is a new entry, and
//!   whoever holds an old one keeps it.
//! - Name, namespace, uid, version, labels and annotations are read without decoding the object. When the rest is
//!   decoded, and whether bytes or the decoded object are kept, is up to the [`CacheFormat`].
//! - Managed fields are left out unless they are asked for.
//! - One writer, the informer, changes the store ([`Indexer`]); everybody else reads through a [`Lister`].
//! - Every read sees one state of the whole store. A list response replaces the content in one step, so no reader
//!   ever meets a half-filled store.
//! - Indices change together with the objects. The index over namespaces ([`NAMESPACE_INDEX`]) is always there.
//! - An entry does not keep alive the response that it came with: memory is what the objects take.

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
