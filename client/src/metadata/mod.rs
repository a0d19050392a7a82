//! Access to nothing but objects' metadata: the server cuts the rest off before it sends them.

mod api;
mod object;

pub use crate::types::meta::v1::PartialObjectMetadata;
pub use api::MetadataApi;
