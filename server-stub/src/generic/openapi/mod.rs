//! OpenAPI documents: `/openapi/v3` by group and version (KEP-2896), and `/openapi/v2` in one piece. Those of the built-in
//! groups are made from the runtime schema, others come from a [`DocumentSource`].
//!
//! They have what programs read (types, merge keys, list types, paths, parameters) and what types and fields are for.
//! They are written as JSON or as protobuf (the messages of gnostic), which is what clients prefer.

mod custom;
mod descriptions;
mod dialect;
mod document;
mod endpoint;
mod merge;
mod operations;
mod parameters;
mod protobuf;
mod route;
mod schemas;
mod shared_parameters;
mod source;
mod v2;
mod v3;
mod words;

pub use custom::{CustomOpenApi, CustomOpenApiKind};
pub(crate) use descriptions::Descriptions;
pub(crate) use endpoint::install;
pub use source::{DocumentInfo, DocumentSource};
