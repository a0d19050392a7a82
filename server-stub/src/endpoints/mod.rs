//! The REST verbs over HTTP: negotiation, bodies, patches, tables, and `Status` answers for everything that fails.
//!
//! [`ApiGroupVersion`] is the way in: it serves the resources of one group and version from their stores.

mod answer;
pub(crate) mod body;
mod call;
mod columns;
mod connect;
mod decode;
mod delete;
mod equivalents;
mod event_frames;
mod group_version;
mod list_body;
mod negotiation;
mod options;
mod patch;
mod read;
mod resource;
mod subresources;
mod table;
mod virtual_resource;
mod watch;
mod write;

pub(crate) use decode::no_object;
pub(crate) use equivalents::Equivalents;
pub use group_version::{ApiGroupVersion, Backend, Endpoints};
pub(crate) use negotiation::{
    ALL_FORMATS, Accepted, Format, Offer, PageForm, accepts_aggregated_discovery, preferred, wants_pretty,
};
pub(crate) use options::{Query, number_error, parse_bool};
pub(crate) use patch::JsonPatch;
pub(crate) use resource::{ObjectKind, Resource};
pub use virtual_resource::{Question, VirtualResource};
