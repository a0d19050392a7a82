//! The store behind an informer and the read access to it.
//!
//! The contract:
//! - An entry is the object's bytes as they came from the wire, with its header read ([`CachedObject`]). It never
//!   changes: a newer state is a new entry, and whoever holds an old one keeps it.
//! - One writer, the informer, changes the store ([`Indexer`]); everybody else reads through a [`Lister`].
//! - Every read sees one state of the whole store. A list response replaces the content in one step, so no reader
//!   ever meets a half-filled store.
//! - Indices change together with the objects. The index over namespaces ([`NAMESPACE_INDEX`]) is always there.
//! - An entry does not keep alive the response that it came with: memory is what the objects take.

mod indexer;
mod lister;
mod object;
mod objects;
#[cfg(test)]
mod tests;

pub use indexer::{IndexError, Indexer, NAMESPACE_INDEX};
pub use lister::{Lister, NamespaceLister};
pub use object::{CacheMode, CachedObject, DecodeError};
pub(crate) use objects::Objects;
