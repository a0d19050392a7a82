//! Access to nothing but objects' metadata: the server cuts the rest off before it sends them.

mod api;
mod object;

pub use api::MetadataApi;
pub use object::PartialObjectMetadata;
