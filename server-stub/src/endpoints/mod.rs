//! The REST verbs over HTTP: negotiation, bodies, patches, tables, and `Status` answers for everything that fails.

mod negotiation;
mod options;
mod patch;

pub(crate) use negotiation::{ALL_FORMATS, Accepted, Format, Offer, accepts_aggregated_discovery};
pub(crate) use options::{Query, number_error};
