//! OpenAPI documents of the built-in groups, made from the runtime schema: `/openapi/v3` by group and version
//! (KEP-2896), and `/openapi/v2` in one piece.
//!
//! They have what programs read (types, merge keys, list types, paths, parameters) and what types and fields are for.
//! JSON is the only format.

mod descriptions;
mod dialect;
mod document;
mod endpoint;
mod operations;
mod schemas;

pub(crate) use descriptions::Descriptions;
pub(crate) use endpoint::install;
