//! The objects of each resource: how they are read and written, and what differs per built-in resource.

pub mod admission;
mod batch_labels;
pub mod built_in;
mod cacher;
pub mod capabilities;
pub mod codec;
pub(crate) mod conversion;
pub mod defaults;
pub mod facts;
mod generated;
pub(crate) mod managed_fields;
pub mod object;
pub(crate) mod printers;
pub mod protobuf_codec;
pub(crate) mod quantity;
pub mod query;
pub mod resource_info;
pub mod service_ranges;
pub mod storage_factory;
pub mod store;
pub mod stores;
pub mod strategy;
pub(crate) mod subresources;
pub mod validation;
pub(crate) mod versioned;

pub(crate) use admission::AdmittedPart;
pub use admission::{Admission, Operation, RequestAdmission};
pub(crate) use generated::openapi as openapi_facts;
pub use object::StoredObject;
pub use query::{
    DeleteOptions, DeleteOutcome, ListQuery, ListResult, Preconditions, PropagationPolicy, UpdateOptions, VersionMatch,
    WatchEvent, WatchStream, WriteContext,
};
pub use resource_info::ResourceInfo;
pub use store::Store;
pub use strategy::{PlainStrategy, Strategy};
